import importlib
from pathlib import Path

import pytest

import celery_app


def test_bare_celery_is_set_as_the_labs_safe_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_TICKS", str(tmp_path / "ticks"))
    monkeypatch.setenv("BENCH_URL", "amqp://student:qwerty@127.0.0.1:1/")
    monkeypatch.setenv("BENCH_CELERY", "safe")
    bare = importlib.import_module("benchmarks.programs.celery_bare")
    own_code = {"worker_consumer"}
    assert {name: bare.SAFE[name] for name in celery_app.SAFE.keys() - own_code} == {
        name: value for name, value in celery_app.SAFE.items() if name not in own_code
    }
    assert bare.SAFE["broker_transport_options"] == celery_app.CONFIRMED
    lab = celery_app.create_celery(
        celery_app.settings.with_(var=tmp_path, celery_broker_url="amqp://127.0.0.1:1/"),
        celery_app.Delivery.SAFE,
    )
    assert bare.app.conf.task_default_exchange_type == lab.conf.task_default_exchange_type
    assert bare.app.conf.task_queues[0].queue_arguments == lab.conf.task_queues[0].queue_arguments
