"""`python -m consumer` with the benchmarks' kinds of jobs."""

import runpy

from benchmarks.programs import lab_kinds  # noqa: F401 - adds the kinds

runpy.run_module("consumer", run_name="__main__", alter_sys=True)
