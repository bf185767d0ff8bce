"""`python -m consumer`, or `python -m consumer.tutorial` where that is the first argument, with the benchmarks'
kinds of jobs."""

import runpy
import sys

from benchmarks.programs import lab_kinds  # noqa: F401 - adds the kinds

module = "consumer"
if sys.argv[1:2] == ["tutorial"]:
    module = f"consumer.{sys.argv.pop(1)}"
runpy.run_module(module, run_name="__main__", alter_sys=True)
