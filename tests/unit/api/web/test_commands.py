import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from api import LabAPI
from api.experiments.wording import no_worker
from api.web.commands import prelude
from api.web.docs import ROOT
from experiments.plan import Arm


def test_the_line_before_a_command_leads_to_this_labs_folder_python_and_addresses(
    make_app: Callable[..., LabAPI], tmp_path: Path
) -> None:
    var = tmp_path / "a lab's"
    broker, api = "amqp://student:qwerty@localhost:5673/", "http://localhost:8099/update_task_status_api/"
    app = make_app(rmq_url=broker, celery_broker_url=broker, api_url=api, var=var)
    with app.app_context():
        line = prelude()
    shown = 'printf "%s\\n" "$PWD" "$RMQ_URL" "$API_URL" "$LAB_VAR" "$CELERY_BROKER_URL"; command -v celery'
    told = subprocess.run(
        ["sh", "-c", f"{line}\n{shown}"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert told.stdout.splitlines() == [
        str(ROOT),
        broker,
        api,
        str(var),
        "",
        f"{ROOT}/.venv/bin/celery",
    ]


def test_in_every_template_that_prints_a_command_the_lab_is_named_before_it() -> None:
    printed = re.compile(r"\bpython -[mc] |\bcelery -A |worker_command\(|\.command\b")
    found = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in (ROOT / "templates").rglob("*.html")
        if printed.search(path.read_text(encoding="utf-8"))
    }
    assert len(found) >= 5
    assert [name for name, text in found.items() if "{{ prelude() }}" not in text] == []


def test_what_tells_that_a_worker_is_missing_has_the_whole_command_in_one_line(
    make_app: Callable[..., LabAPI], tmp_path: Path
) -> None:
    with make_app(var=tmp_path).test_request_context():
        said = no_worker(Arm(method="rabbitmq"))
        assert said == f"No consumer answers. Start one: {prelude()} && python -m consumer --concurrency 3"
        assert f"LAB_VAR={tmp_path}" in said


def test_no_page_shows_a_password_that_is_not_public(make_app: Callable[..., LabAPI]) -> None:
    with make_app(rmq_url="amqp://me:hidden@localhost/").app_context():
        assert "amqp://me:PASSWORD@localhost" in prelude()
        assert "hidden" not in prelude()
