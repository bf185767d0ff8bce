"""`celery -A celery_app` with the benchmarks' kinds of jobs."""

import importlib

from benchmarks.programs import lab_kinds  # noqa: F401 - adds the kinds, before the tasks are made of them

app = importlib.import_module("celery_app").celery_app
