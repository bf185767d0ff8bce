"""Tasks, their history, the outbox, and the counters behind them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", Whole, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("first_num", Whole, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("created_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_submissions"),
    )
    op.create_table(
        "task_counts",
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("n", Whole, nullable=False),
        sa.PrimaryKeyConstraint("method", "status", name="pk_task_counts"),
    )
    op.create_table(
        "tasks",
        sa.Column("num", Whole, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("timeout", sa.Float(), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("worker", sa.String(length=255), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_us", Whole, nullable=False),
        sa.Column("published_us", Whole, nullable=True),
        sa.Column("started_us", Whole, nullable=True),
        sa.Column("finished_us", Whole, nullable=True),
        sa.Column("change_id", Whole, nullable=False),
        sa.PrimaryKeyConstraint("num", name="pk_tasks"),
        sa.UniqueConstraint("id", name="uq_tasks_id"),
    )
    op.create_index("ix_tasks_change_id", "tasks", ["change_id"], unique=False)
    op.create_index("ix_tasks_method_num", "tasks", ["method", "num"], unique=False)
    op.create_index("ix_tasks_method_status_num", "tasks", ["method", "status", "num"], unique=False)
    op.create_index("ix_tasks_status_num", "tasks", ["status", "num"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("num", Whole, nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until_us", Whole, nullable=False),
        sa.ForeignKeyConstraint(["num"], ["tasks.num"], name="fk_outbox_num", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("num", name="pk_outbox"),
    )
    op.create_index("ix_outbox_method_num", "outbox", ["method", "num"], unique=False)
    op.create_table(
        "task_events",
        sa.Column("id", Whole, autoincrement=True, nullable=False),
        sa.Column("num", Whole, nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=255), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("at_us", Whole, nullable=False),
        sa.Column("recorded_us", Whole, nullable=False),
        sa.ForeignKeyConstraint(["num"], ["tasks.num"], name="fk_task_events_num", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_task_events"),
    )
    op.create_index("ix_task_events_num", "task_events", ["num"], unique=False)
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    op.bulk_insert(counters, [{"name": "num", "value": 0}, {"name": "change", "value": 0}])


def downgrade() -> None:
    for table in ("task_events", "outbox", "tasks", "task_counts", "submissions", "counters"):
        op.drop_table(table)
