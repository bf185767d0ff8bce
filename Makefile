# Everything a developer runs. `make` alone lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# A lab is many processes: without bytecode on disk, as some containers want it, each compiles the house when it starts.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help up test test-slow test-faults faults check bench venv dev rabbitmq test-packages clean

PO := $(wildcard translations/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

up: venv rabbitmq ## set up what is missing, run the whole lab in the foreground; Ctrl-C ends all of it
	@exec .venv/bin/python -m harness up

test: dev test-packages ## run the tests that take minutes together; ARGS="-k name" passes options to pytest
	@exec .venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: dev test-packages ## run all others but the fault tests that take minutes each: the whole browser, whole labs; half an hour
	@.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "slow and not faults and not alone" $(ARGS)
	@exec .venv/bin/python -m pytest -m "alone" $(ARGS)

test-faults: dev test-packages ## run all fault tests, those that take minutes too: an hour and more
	@exec .venv/bin/python -m pytest tests/faults tests/integration/test_real_images.py -m "" $(ARGS)

faults: venv rabbitmq fault-packages ## the matrix of faults by contenders into docs/faults.md, half an hour; ARGS="--missing" runs what never ran
	@exec .venv/bin/python -m faults matrix --markdown docs/faults.md $(ARGS)

check: dev ## linter, formatter check, types, known vulnerabilities of the pinned packages
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/python tools/audit requirements.txt
	@exec .venv/bin/mypy

bench: venv bench-packages rabbitmq ## the benchmark suite: a table here, JSON beside it; ARGS="--only relay" chooses
	@exec .venv/bin/python -m benchmarks $(ARGS)

venv: runtime-packages $(MO) ## the Python environment that the lab runs in

dev: dev-packages $(MO) ## the same with what tests and linters need

clean: ## remove what was built; the lab's data under var/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis $(MO)
	find . -name __pycache__ -type d -prune -not -path './var/*' -exec rm -rf {} +

.PHONY: runtime-packages dev-packages
runtime-packages:
	@tools/venv requirements.txt

dev-packages: runtime-packages
	@tools/venv requirements-dev.txt

# Without rabbitmq-c and a compiler the rows of the C client are skipped, with a word.
.PHONY: bench-packages
bench-packages: runtime-packages
	@tools/venv requirements-bench.txt
	@command -v cc >/dev/null || tools/install-packages build-essential || true
	@tools/install-packages librabbitmq-dev || true

$(MO): %.mo: %.po | runtime-packages
	@.venv/bin/pybabel --quiet compile --input-file=$< --output-file=$@

rabbitmq:
	@if [ -z "$$RMQ_URL" ] && [ ! -x /usr/lib/rabbitmq/bin/rabbitmq-server ] \
		&& ! command -v rabbitmq-server >/dev/null; then tools/install-packages rabbitmq-server; fi

# The card database-away kills a PostgreSQL of its own.
.PHONY: fault-packages
fault-packages:
	@tools/install-packages postgresql || true

# On a laptop that cannot have them the tests that need them are skipped, with the reason; in CI they fail.
test-packages:
	@tools/install-packages rabbitmq-server chromium postgresql redis-server || [ -z "$$CI" ]
