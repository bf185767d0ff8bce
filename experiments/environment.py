"""What the figures were measured on: programs and their versions, the machine and its load."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

from lab.clock import now_us, to_iso

PACKAGES: Final = (
    "celery", "kombu", "amqp", "pika", "flask", "gunicorn", "sqlalchemy", "psycopg", "pydantic", "pillow",
)  # fmt: skip


def environment_of(**more: str) -> dict[str, str]:
    """Names and values, in the order in which they are shown; `more`, such as the broker's version, come last."""
    found = {
        "begun_at": to_iso(now_us()),
        "system": _system(),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    return found | {name: known for name in PACKAGES if (known := _version(name))} | more


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _processor() -> str:
    """The processor's name as the kernel tells it; its kind where it tells none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
