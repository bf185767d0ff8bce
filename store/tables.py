"""The store's tables (SQLAlchemy Core). Times are microseconds since the epoch: columns end in `_us`."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Result(sa.JSON):
    """JSON that may be a bare number: under its own name for JSON SQLite would make a float of a long one."""


@compiles(Result, "sqlite")
def _text(*_: Any, **__: Any) -> str:
    return "TEXT"


def _where(condition: str) -> dict[str, Any]:
    """An index of those rows alone that fit `condition`."""
    return {f"{dialect}_where": sa.text(condition) for dialect in ("sqlite", "postgresql")}


# What lists, counts and follows tasks leaves those of experiments out, and so do its indexes.
_OWN = _where("experiment_id IS NULL")
# So does the page with the checks that the schedule makes every minute.
HEALTH_CHECK = "health_check"
CHECKS = f"kind = '{HEALTH_CHECK}'"
NO_CHECKS = f"kind <> '{HEALTH_CHECK}'"

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("num", Whole, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("method", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("timeout", sa.Float),
    sa.Column("params", sa.JSON, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("worker", sa.String(255)),
    sa.Column("error", sa.Text),
    sa.Column("result", Result(none_as_null=True)),
    sa.Column("created_us", Whole, nullable=False),
    sa.Column("published_us", Whole),
    sa.Column("started_us", Whole),
    sa.Column("finished_us", Whole),
    sa.Column("change_id", Whole, nullable=False),
    sa.Column("delivery", sa.String(8), nullable=False),
    sa.Column("max_retries", sa.Integer),
    sa.Column("time_limit", sa.Float),
    sa.Column("cancel_us", Whole),
    sa.Column("retry_of", sa.String(36)),
    sa.Column("run", sa.String(64)),
    sa.Column("group_id", sa.String(36)),
    sa.Column("options", sa.JSON(none_as_null=True)),
    sa.Column("workflow_id", sa.String(36)),
    sa.Column("node", sa.String(64)),
    sa.Column("experiment_id", sa.String(36)),
    sa.Index(None, "num", **_OWN),
    sa.Index(None, "method", "num", **_OWN),
    sa.Index(None, "method", "status", "num", **_OWN),
    sa.Index(None, "kind", "num", **_OWN),
    sa.Index(None, "worker", "num", **_where("experiment_id IS NULL AND worker IS NOT NULL")),
    sa.Index("ix_tasks_num_error", "num", **_where("experiment_id IS NULL AND error IS NOT NULL")),
    sa.Index("ix_tasks_num_no_checks", "num", **_where(f"experiment_id IS NULL AND {NO_CHECKS}")),
    sa.Index("ix_tasks_checks", "kind", "status", "method", **_where(f"experiment_id IS NULL AND {CHECKS}")),
    sa.Index(None, "change_id", **_OWN),
    sa.Index(None, "group_id", "num", **_where("group_id IS NOT NULL")),
    sa.Index(None, "workflow_id", "num", **_where("workflow_id IS NOT NULL")),
    sa.Index(None, "experiment_id", "num", **_where("experiment_id IS NOT NULL")),
    sa.Index(None, "finished_us", **_where("finished_us IS NOT NULL")),
)

workflows = sa.Table(
    "workflows",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("pattern", sa.String(32), nullable=False),
    sa.Column("method", sa.String(16), nullable=False),
    sa.Column("params", sa.JSON, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("result", Result(none_as_null=True)),
    sa.Column("error", sa.Text),
    sa.Column("created_us", Whole, nullable=False),
    sa.Column("finished_us", Whole),
    sa.Column("deadline_us", Whole, nullable=False),
    sa.Index(None, "created_us"),
    sa.Index(None, "status", "deadline_us"),
)

samples = sa.Table(
    "samples",
    metadata,
    sa.Column("num", Whole, primary_key=True, autoincrement=False),
    sa.Column("path", sa.Text, nullable=False),
)

task_groups = sa.Table(
    "task_groups",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("method", sa.String(16), nullable=False),
    sa.Column("operation", sa.JSON(none_as_null=True)),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("created_us", Whole, nullable=False),
    sa.Index(None, "created_us"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("format", sa.String(8), nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("bytes", Whole, nullable=False),
    sa.Column("created_us", Whole, nullable=False),
    sa.Index(None, "created_us"),
)

control_picture = sa.Table(
    "control_picture",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("picture", sa.JSON(none_as_null=True)),
    sa.Column("at_us", Whole, nullable=False),
    sa.Column("lease_until_us", Whole, nullable=False),
)

task_events = sa.Table(
    "task_events",
    metadata,
    sa.Column("id", Whole, primary_key=True, autoincrement=True),
    sa.Column("num", Whole, sa.ForeignKey("tasks.num", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(255)),
    sa.Column("error", sa.Text),
    sa.Column("at_us", Whole, nullable=False),
    sa.Column("recorded_us", Whole, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("num", Whole, sa.ForeignKey("tasks.num", ondelete="CASCADE"), primary_key=True),
    sa.Column("method", sa.String(16), nullable=False),
    sa.Column("lease_owner", sa.String(64)),
    sa.Column("lease_until_us", Whole, nullable=False),
    sa.Index(None, "method", "num"),
)

submissions = sa.Table(
    "submissions",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("first_num", Whole, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("created_us", Whole, nullable=False),
    sa.Index(None, "created_us"),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", Whole, nullable=False),
)

task_counts = sa.Table(
    "task_counts",
    metadata,
    sa.Column("method", sa.String(16), primary_key=True),
    sa.Column("status", sa.String(12), primary_key=True),
    sa.Column("n", Whole, nullable=False),
)

schedule_runs = sa.Table(
    "schedule_runs",
    metadata,
    sa.Column("id", Whole, primary_key=True, autoincrement=True),
    sa.Column("entry", sa.String(64), nullable=False),
    sa.Column("due_us", Whole),  # none: run by hand
    sa.Column("task_id", sa.String(36), nullable=False),
    sa.Column("created_us", Whole, nullable=False),
    sa.UniqueConstraint("entry", "due_us"),
    sa.Index(None, "entry", "id"),
    sa.Index(None, "created_us"),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("id", Whole, primary_key=True, autoincrement=True),
    sa.Column("task_id", sa.String(36), nullable=False, unique=True),
    sa.Column("since_us", Whole, nullable=False),
    sa.Column("until_us", Whole, nullable=False),
    sa.Column("figures", sa.JSON, nullable=False),
    sa.Column("mail", sa.String(8)),  # sending, sent, failed; none: never tried
    sa.Column("mail_error", sa.Text),
    sa.Column("mail_us", Whole),
    sa.Column("created_us", Whole, nullable=False),
    sa.Index(None, "created_us"),
    sqlite_autoincrement=True,  # an address must never lead to another report
)

experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("num", Whole, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("key", sa.String(255), unique=True),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("setting", sa.JSON(none_as_null=True)),  # fairness and environment
    sa.Column("outcome", sa.JSON(none_as_null=True)),  # totals and comparisons
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("race", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.Text),
    sa.Column("created_us", Whole, nullable=False),
    sa.Column("started_us", Whole),
    sa.Column("finished_us", Whole),
    sa.Column("cancel_us", Whole),
    sa.Column("lease_until_us", Whole, nullable=False),
    sa.Index(None, "status", "num"),
    sa.Index(None, "finished_us"),
)

experiment_runs = sa.Table(
    "experiment_runs",
    metadata,
    sa.Column("num", Whole, sa.ForeignKey("experiments.num", ondelete="CASCADE"), primary_key=True),
    sa.Column("turn", sa.Integer, primary_key=True),
    sa.Column("arm", sa.Integer, primary_key=True),
    sa.Column("begun_us", Whole, nullable=False),
    sa.Column("figures", sa.JSON, nullable=False),
    sa.Column("samples", sa.LargeBinary, nullable=False),
)

fault_runs = sa.Table(
    "fault_runs",
    metadata,
    sa.Column("num", Whole, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("key", sa.String(255), unique=True),
    sa.Column("card", sa.String(40), nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("document", sa.JSON(none_as_null=True)),  # what the engine has told last
    sa.Column("outcome", sa.JSON(none_as_null=True)),  # the same without its jobs, for lists
    sa.Column("error", sa.Text),
    sa.Column("created_us", Whole, nullable=False),
    sa.Column("started_us", Whole),
    sa.Column("finished_us", Whole),
    sa.Column("cancel_us", Whole),
    sa.Column("lease_until_us", Whole, nullable=False),
    sa.Index(None, "status", "num"),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", Whole, primary_key=True, autoincrement=True),
    sa.Column("queue", sa.String(255), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("task_id", sa.String(64)),
    sa.Column("task_known", sa.Boolean, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("properties", sa.JSON, nullable=False),
    sa.Column("at_us", Whole, nullable=False),
    sa.Column("claimed_us", Whole, nullable=False, server_default="0"),  # until then somebody sends it again
    sqlite_autoincrement=True,  # an id that was discarded must never name another letter
)
