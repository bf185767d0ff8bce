"""How gunicorn serves the API: https://docs.gunicorn.org/en/stable/settings.html"""

import gc
import importlib
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from lab.broker import owner
from lab.settings import Settings, SettingsError

try:
    _settings = Settings.from_env().private()
except SettingsError as error:
    sys.exit(f"gunicorn: {error}")

# Before the fork, so that the workers share what it loads; and after the settings were found to be good.
importlib.import_module("api")

bind = f"{_settings.host}:{_settings.port}"
workers = 2
worker_class = "api.web.gunicorn_worker.BoundedWorker"
threads = 200  # an open page holds one for its event stream
# A process has descriptors for other things too: the store's connections, uploads, the broker.
worker_connections = max(100, min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 400))
keepalive = 75
graceful_timeout = 10
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108
control_socket_disable = True
accesslog = None


def on_starting(_server: Any) -> None:
    """Refuses a virtual host that another lab uses."""
    try:
        owner.refuse_another(_settings)
    except owner.AnotherLab as error:
        sys.exit(f"gunicorn: {error}")


def post_worker_init(worker: Any) -> None:
    """Ends the event streams as soon as the worker is asked to stop; they would hold it up."""
    gc.freeze()  # what is here stays: the collector need not go through it again and again
    parts = worker.app.wsgi().extensions["lab"]
    former = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: Any) -> None:
        parts.feed.ending = True
        if callable(former):
            former(number, frame)

    signal.signal(signal.SIGTERM, stop)


def worker_exit(_server: Any, worker: Any) -> None:
    """Gives back what the worker's threads hold."""
    if worker.app.callable is not None:
        worker.app.callable.extensions["lab"].stop()
