"""The lab's settings: the only reader of the environment."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from lab import exposure
from lab.delivery import Delivery
from lab.places import SAMPLES, Places

DEFAULT_RMQ_URL = "amqp://student:qwerty@localhost:5672/"


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Each field is the environment variable of the same name in capitals, some
    with the prefix `LAB_`: docs/settings.md lists them all."""

    rmq_url: str
    api_url: str
    host: str
    publish: str
    port: int
    var: Path
    database_url: str
    celery_broker_url: str
    result_backend: str
    management_url: str
    management_api_url: str
    secret_key: str | None = field(repr=False)
    sync_max_seconds: float
    log_language: str
    delivery: Delivery
    tracked: bool
    submissions_per_minute: int
    image_seconds: tuple[float, float]
    image_hours: float
    image_megapixels: float
    upload_megabytes: float
    upload_count: int
    timezone: ZoneInfo
    keep_days: float
    smtp_url: str | None = field(repr=False)
    report_to: tuple[str, ...]
    files: Path
    download_hosts: tuple[str, ...]
    download_megabytes: float
    s3_buckets: tuple[str, ...]
    s3_endpoint: str | None
    workflow_hours: float
    user: str | None
    password: str | None = field(repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Settings from `env` (the process's own environment where none is given).

        Raises:
            SettingsError: a value is not of its form, or the API would stand open to other machines.
        """
        get = _Reader(os.environ if env is None else env)
        port = get.integer("PORT", 8080, 0, 65535)
        var = Path(get.text("LAB_VAR", "var")).resolve()
        management_url = get.text("LAB_MANAGEMENT_URL", "http://localhost:15672/")
        rmq_url = get.url("RMQ_URL", DEFAULT_RMQ_URL, "amqp", "amqps")
        smtp_url = get.url("SMTP_URL", "", "smtp", "smtps") or None
        settings = cls(
            rmq_url=rmq_url,
            api_url=get.url("API_URL", f"http://localhost:{port}/update_task_status_api/", "http", "https"),
            host=get.text("LAB_HOST", "127.0.0.1"),
            publish=get.text("LAB_PUBLISH", ""),
            port=port,
            var=var,
            database_url=get.text("DATABASE_URL", f"sqlite:///{var}/lab.sqlite3"),
            celery_broker_url=get.text("CELERY_BROKER_URL", rmq_url),
            result_backend=get.text("RESULT_BACKEND", f"db+sqlite:///{var}/results.sqlite3"),
            management_url=management_url,
            management_api_url=get.url("LAB_MANAGEMENT_API_URL", management_url, "http", "https"),
            secret_key=get.text("LAB_SECRET_KEY", "") or None,
            sync_max_seconds=get.number("LAB_SYNC_MAX_SECONDS", 60.0, 0.0, 3600.0),
            log_language=get.choice("LAB_LOG_LANGUAGE", "ru", "ru", "en"),
            delivery=Delivery(get.choice("DELIVERY", "safe", "safe", "naive")),
            tracked=get.choice("LAB_TRACKED", "1", "0", "1") == "1",
            submissions_per_minute=get.integer("LAB_SUBMISSIONS_PER_MINUTE", 6000, 0, 1_000_000),
            image_seconds=get.span("LAB_IMAGE_SECONDS", "5-15", 0.0, 3600.0),
            image_hours=get.number("LAB_IMAGE_HOURS", 24.0, 0.01, 87_600.0),
            image_megapixels=get.number("LAB_IMAGE_MEGAPIXELS", 64.0, 0.01, 1_000.0),
            upload_megabytes=get.number("LAB_UPLOAD_MEGABYTES", 50.0, 0.01, 10_000.0),
            upload_count=get.integer("LAB_UPLOAD_COUNT", 100, 1, 500),
            timezone=get.zone("LAB_TIMEZONE", "UTC"),
            keep_days=get.number("LAB_KEEP_DAYS", 30.0, 0.01, 36_500.0),
            smtp_url=smtp_url,
            report_to=get.addresses("LAB_REPORT_TO", _mailbox(smtp_url)),
            files=Path(get.text("LAB_FILES", str(SAMPLES))).resolve(),
            download_hosts=get.names("LAB_DOWNLOAD_HOSTS"),
            download_megabytes=get.number("LAB_DOWNLOAD_MEGABYTES", 20.0, 0.001, 10_000.0),
            s3_buckets=get.names("LAB_S3_BUCKETS"),
            s3_endpoint=get.url("LAB_S3_ENDPOINT", "", "", "http", "https") or None,
            workflow_hours=get.number("LAB_WORKFLOW_HOURS", 24.0, 0.001, 8_760.0),
            user=get.text("LAB_USER", "") or None,
            password=get.text("LAB_PASSWORD", "") or None,
        )
        settings._check_exposure()
        return settings

    def _check_exposure(self) -> None:
        if (self.user is None) is not (self.password is None):
            missing = "LAB_PASSWORD" if self.password is None else "LAB_USER"
            raise SettingsError(f"{missing} is not set: a login takes both LAB_USER and LAB_PASSWORD")
        name, address = ("LAB_PUBLISH", self.publish) if self.publish else ("LAB_HOST", self.host)
        if exposure.is_loopback(address):
            return
        todo = [] if self.user else ["set LAB_USER and LAB_PASSWORD"]
        if any(exposure.has_default_login(url) for url in (self.rmq_url, self.celery_broker_url)):
            todo.append(
                "give the broker a password of its own (RMQ_PASSWORD, or in RMQ_URL and CELERY_BROKER_URL)"
            )
        if todo:
            raise SettingsError(
                f"{name} is {address!r}, which other machines reach:"
                f" {' and '.join(todo)}, or set {name} to 127.0.0.1"
            )

    def with_(self, **changes: object) -> Self:
        """A copy with `changes`; for tests and for tools that start a second lab."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def images(self) -> Path:
        """Where the API keeps uploaded images and their results."""
        return self.var / "images"

    @property
    def spool(self) -> Path:
        """Where workers keep statuses that the API has not taken yet."""
        return self.var / "spool"

    @property
    def places(self) -> Places:
        """Where the steps of workflows may read from."""
        most = int(self.download_megabytes * 1_000_000)
        return Places(self.files, self.download_hosts, self.s3_buckets, self.s3_endpoint, most)

    def secret(self) -> bytes:
        """The key that signs callbacks and sessions: the set one, or one made once and kept under
        `var`, readable by its owner only."""
        if self.secret_key:
            return self.secret_key.encode()
        return _kept_secret(self.var / "secret_key")


class _Reader:
    """Reads values of one environment; an empty variable counts as unset."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str, default: str) -> str:
        return self._env.get(name, "").strip() or default

    def names(self, name: str) -> tuple[str, ...]:
        """Names with commas between them, in small letters."""
        return tuple(one.strip().lower() for one in self.text(name, "").split(",") if one.strip())

    def choice(self, name: str, default: str, *allowed: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise SettingsError(f"{name} is {value!r}; it takes {' or '.join(allowed)}")
        return value

    def url(self, name: str, default: str, *schemes: str) -> str:
        value = self.text(name, default)
        if value != default and not _is_url(value, schemes):
            raise SettingsError(
                f"{name} takes a URL that begins with {' or '.join(s + '://' for s in schemes)}"
            )
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise SettingsError(f"{name} is {value!r}; it takes a number from {low:g} to {high:g}")
        return number

    def span(self, name: str, default: str, low: float, high: float) -> tuple[float, float]:
        """A number, or two with a hyphen between them, the smaller one first."""
        first, _, last = self.text(name, default).partition("-")
        try:
            span = float(first), float(last or first)
        except ValueError:
            span = float("nan"), float("nan")
        if not low <= span[0] <= span[1] <= high:
            raise SettingsError(
                f"{name} is {self.text(name, default)!r}; it takes a number from {low:g} to {high:g}, or two"
                " such as 5-15"
            )
        return span

    def zone(self, name: str, default: str) -> ZoneInfo:
        value = self.text(name, default)
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise SettingsError(
                f"{name} is {value!r}; it takes a time zone's name, such as UTC or Europe/Moscow"
            ) from error

    def addresses(self, name: str, default: str) -> tuple[str, ...]:
        """Addresses of mail, with commas between them."""
        found = tuple(part.strip() for part in self.text(name, default).split(","))
        if not all(one.isascii() and re.fullmatch(r"[^\s<>@]+@[^\s<>@]+", one) for one in found):
            raise SettingsError(f"{name} takes addresses of mail, with commas between them")
        return found

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        number = self.number(name, default, low, high)
        if number != int(number):
            raise SettingsError(f"{name} is {number:g}; it takes a whole number from {low} to {high}")
        return int(number)


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parsed = urlsplit(value)
        return parsed.scheme in schemes and parsed.port != 0
    except ValueError:  # a port that is none
        return False


def _mailbox(smtp_url: str | None) -> str:
    """Who reads mail where nobody is named: the mail server's user, or this machine's postmaster."""
    user = unquote(urlsplit(smtp_url or "").username or "")
    return user if "@" in user else "postmaster@localhost"


def _kept_secret(path: Path) -> bytes:
    """The secret in `path`, made first where there is none; safe when several processes start at once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes().strip()
