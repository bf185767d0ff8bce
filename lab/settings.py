"""The lab's settings: the only reader of the environment."""

import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from lab import exposure
from lab.broker import address
from lab.delivery import Delivery
from lab.jobs.context import MAX_TIME_LIMIT
from lab.places import SAMPLES, Places

DEFAULT_RMQ_URL: Final = "amqp://student:qwerty@localhost:5672/"
WITHOUT_PREFIX: Final = (
    "rmq_url", "api_url", "port", "database_url", "celery_broker_url", "result_backend", "delivery", "smtp_url",
)  # fmt: skip


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and says what it takes."""


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        try:
            parsed = urlsplit(value)
            if parsed.scheme in schemes and parsed.port != 0:
                return value
        except ValueError:  # a port that is no number
            pass
        raise ValueError(f"takes a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")

    return AfterValidator(check)


def _celery_broker(url: str) -> str:
    return address.normal(url) if url.startswith(("amqp", "pyamqp")) else url


def _split(text: Any) -> Any:
    return tuple(filter(None, map(str.strip, text.split(",")))) if isinstance(text, str) else text


def _addresses(found: tuple[str, ...]) -> tuple[str, ...]:
    if not found or not all(one.isascii() and re.fullmatch(r"[^\s<>@]+@[^\s<>@]+", one) for one in found):
        raise ValueError("takes addresses of mail, with commas between them")
    return found


def _ends(text: Any) -> Any:
    """The two ends of a span: "5-15", or one number that is both."""
    if not isinstance(text, str):
        return text
    first, _, last = text.partition("-")
    return first, last or first


def _in_order(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("takes a number, or two such as 5-15, the smaller one first")
    return span


def _mailbox(smtp_url: str | None) -> tuple[str]:
    """Who reads mail where nobody is named: the mail server's user, or this machine's postmaster."""
    user = unquote(urlsplit(smtp_url or "").username or "")
    return (user if "@" in user else "postmaster@localhost",)


Http = Annotated[str, _url("http", "https")]
Names = Annotated[tuple[Annotated[str, AfterValidator(str.lower)], ...], BeforeValidator(_split)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_addresses)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Span = Annotated[tuple[Seconds, Seconds], BeforeValidator(_ends), AfterValidator(_in_order)]
Folder = Annotated[Path, AfterValidator(Path.resolve)]


class Settings(BaseModel):
    """What can be set. Each field is the environment variable of the same name in capitals, most
    with the prefix `LAB_`: docs/settings.md lists them all."""

    model_config = ConfigDict(
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
        alias_generator=lambda name: name.upper() if name in WITHOUT_PREFIX else f"LAB_{name.upper()}",
    )

    rmq_url: Annotated[str, AfterValidator(address.normal)] = DEFAULT_RMQ_URL
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    api_url: Http = Field(
        default_factory=lambda had: f"http://localhost:{had['port']}/update_task_status_api/"
    )
    host: str = "127.0.0.1"
    publish: str = ""
    proxies: Annotated[int, Field(ge=0, le=10)] = 0
    var: Folder = Path("var")
    database_url: str = Field(default_factory=lambda had: f"sqlite:///{had['var']}/lab.sqlite3")
    celery_broker_url: Annotated[str, AfterValidator(_celery_broker)] = Field(
        default_factory=lambda had: had["rmq_url"]
    )
    result_backend: str = Field(default_factory=lambda had: f"db+sqlite:///{had['var']}/results.sqlite3")
    management_url: str = "http://localhost:15672/"
    management_api_url: Http = Field(default_factory=lambda had: had["management_url"])
    secret_key: str | None = Field(None, repr=False)
    former_secret_keys: Annotated[tuple[bytes, ...], BeforeValidator(_split)] = Field((), repr=False)
    sync_max_seconds: Seconds = 60.0
    log_language: Literal["ru", "en"] = "ru"
    delivery: Delivery = Delivery.SAFE
    tracked: bool = True
    submissions_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 6000
    turns_again: Annotated[int, Field(ge=0, le=10)] = 2
    image_seconds: Span = (5.0, 15.0)
    image_hours: Annotated[float, Field(ge=0.01, le=87_600)] = 24.0
    image_megapixels: Annotated[float, Field(ge=0.01, le=1_000)] = 64.0
    upload_megabytes: Annotated[float, Field(ge=0.01, le=10_000)] = 50.0
    upload_count: Annotated[int, Field(ge=1, le=500)] = 100
    timezone: ZoneInfo = ZoneInfo("UTC")
    task_time_limit: Annotated[float, Field(gt=0, le=MAX_TIME_LIMIT)] | None = None
    keep_days: Annotated[float, Field(ge=0.01, le=36_500)] = 30.0
    smtp_url: Annotated[str, _url("smtp", "smtps")] | None = Field(None, repr=False)
    report_to: Addresses = Field(default_factory=lambda had: _mailbox(had["smtp_url"]))
    files: Folder = SAMPLES
    download_hosts: Names = ()
    download_megabytes: Annotated[float, Field(ge=0.001, le=10_000)] = 20.0
    s3_buckets: Names = ()
    s3_endpoint: Http | None = None
    nowhere_seconds: Annotated[float, Field(ge=1, le=86_400)] = 20.0
    gcp_buckets: Names = ()
    azure_containers: Names = ()
    ledger: Folder | None = None
    workflow_hours: Annotated[float, Field(ge=0.001, le=8_760)] = 24.0
    user: str | None = None
    password: str | None = Field(None, repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Settings from `env` (the process's own environment where none is given). An empty variable counts
        as unset.

        Raises:
            SettingsError: a value is not of its form, or the API would stand open to other machines.
        """
        given = {name: value.strip() for name, value in (os.environ if env is None else env).items()}
        try:
            return cls.model_validate({name: value for name, value in given.items() if value})
        except ValidationError as error:
            raise SettingsError(_sentence(error, given)) from None  # the cause would show passwords

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        if (self.user is None) is not (self.password is None):
            missing = "LAB_PASSWORD" if self.password is None else "LAB_USER"
            raise ValueError(f"{missing} is not set: a login takes both LAB_USER and LAB_PASSWORD")
        name, address = ("LAB_PUBLISH", self.publish) if self.publish else ("LAB_HOST", self.host)
        if exposure.is_loopback(address):
            return self
        todo = [] if self.user else ["set LAB_USER and LAB_PASSWORD"]
        if any(exposure.has_default_login(url) for url in (self.rmq_url, self.celery_broker_url)):
            todo.append(
                "give the broker a password of its own (RMQ_PASSWORD, or in RMQ_URL and CELERY_BROKER_URL)"
            )
        if todo:
            raise ValueError(
                f"{name} is {address!r}, which other machines reach:"
                f" {' and '.join(todo)}, or set {name} to 127.0.0.1"
            )
        return self

    def private(self) -> Self:
        """These settings, with `var` and what this process writes from now on for their owner only: databases,
        logs, results. For entry points; a folder that others own too, such as /tmp, stays as it is."""
        os.umask(0o077)
        with suppress(OSError):  # a container's mount may be another user's
            self.var.mkdir(parents=True, exist_ok=True)
            if not self.var.stat().st_mode & stat.S_ISVTX:
                self.var.chmod(0o700)
        return self

    @property
    def celery_on_rabbitmq(self) -> bool:
        """Whether Celery's messages go over the broker that all else goes over."""
        return self.celery_broker_url == self.rmq_url

    def with_(self, **changes: Any) -> Self:
        """A copy with `changes`, unchecked; for tests and for tools that start a second lab."""
        return self.model_copy(update=changes)

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
        """Which places jobs may use."""
        most = int(self.download_megabytes * 1_000_000)
        buckets = {"s3": self.s3_buckets, "gcp": self.gcp_buckets, "azure": self.azure_containers}
        return Places(self.files, self.download_hosts, buckets, self.s3_endpoint, most, ledger=self.ledger)

    def secret(self) -> bytes:
        """The key that signs callbacks and sessions: the set one, or one made once and kept under
        `var`, readable by its owner only."""
        if self.secret_key:
            return self.secret_key.encode()
        return _kept_secret(self.var / "secret_key")

    def secrets(self) -> tuple[bytes, ...]:
        """All keys whose tokens hold: the one that signs, and the former ones, the newest first."""
        return (self.secret(), *self.former_secret_keys)


def _sentence(error: ValidationError, given: Mapping[str, str]) -> str:
    """What is wrong with the first setting that is."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "value_error":
        return f"{name} {first['ctx']['error']}".strip()
    said = first["msg"].replace("Input", "it")
    if first["type"] == "zoneinfo_str":
        said = "it takes a time zone's name, such as UTC or Europe/Moscow"
    return f"{name} is {given.get(name)!r}; {said}"


def _kept_secret(path: Path) -> bytes:
    """The secret in `path`, made first if there is none; safe when several processes start at once."""
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
