"""Real parts for the tests: a broker, a PostgreSQL server, a lab. Where one is missing, tests that need
it are skipped with the reason on a laptop, and fail in CI."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from api import LabAPI, create_app, set_up
from api.services import Services
from harness.lab import Lab
from harness.node import RabbitNode
from harness.servers import (
    PostgresNode,
    RedisNode,
    create_database,
    drop_database,
    postgres_binary,
    redis_binary,
)
from lab.broker.installed import installed
from lab.settings import Settings
from store.engine import create_engine
from store.migrate import migrate
from store.tables import metadata
from tests import vhosts
from tests.described import check_answers

# Machines are shared: how long an example takes says nothing.
hypothesis.settings.register_profile(
    "lab", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("lab")

# Tests run beside each other, so that each experiment is disturbed by the others.
os.environ["LAB_TURNS_AGAIN"] = "0"

TESTS = Path(__file__).parent
NO_BROKER = "amqp://student:qwerty@127.0.0.1:1/"
LendApp = Callable[[Settings], AbstractContextManager[LabAPI]]
_DATABASES = ["postgresql"] if "DATABASE_URL" in os.environ else ["sqlite", "postgresql"]
# Pages show what the store's rows say, and what is refused never gets there: one database tells as much as two.
_ABOVE_THE_STORE = {"test_pages", "test_action_pages", "test_bad_requests", "test_task_options"} | {
    f"test_{part}" for part in ("answers", "docs", "forms", "i18n", "problems", "proxy")
}

# A file stays with one process; begun last, one of these would leave the others with nothing to do. Those that share
# the session's lab and browser come after those with a lab of their own, beside which the others would idle.
_LONGEST = (
    "test_known_truths", "test_benchmarks", "test_make_up", "test_experiments", "test_seeds", "test_messages",
    "test_redis", "test_fault_lab", "test_description", "test_images", "test_side_by_side",
)  # fmt: skip
_SHARE_THE_LAB = ("contract", "e2e")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts out what `make test` leaves to `make test-slow`: of tests with real processes or a browser those that are
    no smoke tests, of the browser's smoke tests all cases but the first, and PostgreSQL where it is not the store
    itself that is tested.
    """
    smoked = set()
    for item in items:
        room = item.path.relative_to(TESTS).parts[0]
        smoke, name = item.get_closest_marker("smoke") is not None, item.nodeid.partition("[")[0]
        if (room in ("e2e", "integration") and not smoke) or (room == "e2e" and name in smoked):
            item.add_marker(pytest.mark.slow)
        if smoke:
            smoked.add(name)
        if "postgresql" in item.name and "store" not in item.path.parts:
            item.add_marker(pytest.mark.slow)
    # Files of whole labs take minutes, those of units seconds: the short ones last, so that processes end together.
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[bool, bool, int]:
    room, stem = item.path.relative_to(TESTS).parts[0], item.path.stem
    return room == "unit", room in _SHARE_THE_LAB, _LONGEST.index(stem) if stem in _LONGEST else len(_LONGEST)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives tests with a store each kind of database, or those above the store one of them."""
    if "database_url" in metafunc.fixturenames:
        kinds = _DATABASES[:1] if metafunc.definition.path.stem in _ABOVE_THE_STORE else _DATABASES
        metafunc.parametrize("database_url", kinds, indirect=True)


def missing(what: str) -> None:
    """Ends the test: a part of the machine that it needs is not there."""
    reason = f"{what} is not installed; `make test` installs it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module", autouse=True)
def _virtual_hosts_end_with_their_module() -> Iterator[None]:
    """Removes what the module's fixtures have made by `make_vhost`."""
    before = vhosts.made()
    yield
    vhosts.remove(before)


@pytest.fixture(autouse=True)
def _virtual_hosts_end_with_their_test() -> Iterator[None]:
    """Removes what the test and its own fixtures have made by `make_vhost`."""
    before = vhosts.made()
    yield
    vhosts.remove(before)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """A private RabbitMQ node."""
    if not installed():
        missing("RabbitMQ")
    base = tmp_path_factory.mktemp("rabbitmq")
    # Quorum queues tell their depth every five seconds; some tests wait for it (milliseconds).
    (base / "advanced.config").write_text("[{rabbit, [{quorum_tick_interval, 200}]}].\n")
    with RabbitNode(base) as running:
        yield running


@pytest.fixture(scope="session")
def broker_url(request: pytest.FixtureRequest) -> str:
    """The broker that tests use: RMQ_URL where it is set, else a private node."""
    return os.environ.get("RMQ_URL") or request.getfixturevalue("node").url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: DATABASE_URL's where it is set, else a private one."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    if not postgres_binary():
        missing("PostgreSQL")
    # Not below pytest's own folder: the server's user has to get there, and the next pytest that starts on this
    # machine closes that folder to others.
    with TemporaryDirectory(prefix="lab-postgresql-") as base, PostgresNode(Path(base)) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private Redis server; the number of a database may follow its address."""
    if not redis_binary():
        missing("Redis")
    with RedisNode(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "lab.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_database(postgres_url: str) -> Iterator[sa.Engine]:
    """A migrated PostgreSQL database that tests take turns with."""
    url = create_database(postgres_url)
    _migrate(url)
    engine = create_engine(url)
    yield engine
    engine.dispose()
    drop_database(url, postgres_url)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database of the kind that `pytest_generate_tests` names."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "lab.sqlite3")
        yield f"sqlite:///{tmp_path}/lab.sqlite3"
        return
    engine = request.getfixturevalue("postgres_database")
    _empty(engine)
    yield engine.url.render_as_string(hide_password=False)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a lab in a folder of its own, with no broker behind it."""
    return Settings.from_env(
        {
            "LAB_VAR": str(tmp_path),
            "DATABASE_URL": database_url,
            "RMQ_URL": NO_BROKER,
            "LAB_SYNC_MAX_SECONDS": "2",
        }
    )


@pytest.fixture(scope="session")
def lend_app() -> LendApp:
    """Lends applications without their background threads, one after the other the same: what does not depend on the
    settings takes as long to make as most tests to run."""
    spare: list[LabAPI] = []

    @contextmanager
    def lend(settings: Settings) -> Iterator[LabAPI]:
        if spare:
            app = spare.pop()
            set_up(app, settings)
        else:
            app = create_app(settings)
            check_answers(app, app.api_doc)
        config = dict(app.config)
        yield app
        app.extensions["lab"].stop()
        app.config.clear()
        app.config.update(config)
        spare.append(app)

    return lend


@pytest.fixture
def app(settings: Settings, lend_app: LendApp) -> Iterator[LabAPI]:
    """The application, without its background threads."""
    with lend_app(settings) as lent:
        lent.testing = True
        lent.config["WTF_CSRF_ENABLED"] = False  # tests/unit/api/web/test_security.py turns it on
        yield lent


@pytest.fixture
def client(app: LabAPI) -> FlaskClient:
    """A client of `app`."""
    return app.test_client()


@pytest.fixture
def parts(app: LabAPI) -> Services:
    """The services of `app`."""
    found: Services = app.extensions["lab"]
    return found


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab: API, a Celery worker and a consumer with three jobs at once each."""
    broker = request.getfixturevalue("broker_url")
    management = (
        "http://127.0.0.1:15672/"
        if "RMQ_URL" in os.environ
        else request.getfixturevalue("node").management_url
    )
    server = request.getfixturevalue("postgres_url") if "DATABASE_URL" in os.environ else None
    url = create_database(server) if server else None
    running = Lab(tmp_path_factory.mktemp("lab"), broker, database_url=url, management_url=management)
    with running:
        running.start_celery()
        running.start_consumer()
        _wait_until_ready(running)
        yield running
    if server and url:
        drop_database(url, server)


def _wait_until_ready(running: Lab) -> None:
    deadline = time.monotonic() + 30
    while not running.session.get(f"{running.url}/readyz", timeout=10).ok:
        if time.monotonic() > deadline:
            pytest.fail("the lab does not get ready")
        time.sleep(0.2)


def _migrate(url: str) -> None:
    engine = create_engine(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _empty(engine: sa.Engine) -> None:
    """Takes everything out of the PostgreSQL database of `engine` and sets its counters back. Most tests fill few
    tables; TRUNCATE would make new files for each."""
    kept = ("counters", "control_picture", "samples")
    names = [table.name for table in reversed(metadata.sorted_tables) if table.name not in kept]
    asked = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
    with engine.begin() as connection:
        full = set(connection.scalars(sa.text(asked)))
        for statement in (
            *(f"DELETE FROM {name}" for name in names if name in full),
            "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'",
            "UPDATE counters SET value = 0",
            "UPDATE control_picture SET picture = NULL, at_us = 0, lease_until_us = 0",
        ):
            connection.execute(sa.text(statement))
