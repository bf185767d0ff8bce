"""Delivery modes, retries, cancellation, dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("tasks") as tasks:
        tasks.add_column(sa.Column("delivery", sa.String(8), nullable=False, server_default="safe"))
        tasks.add_column(sa.Column("max_retries", sa.Integer))
        tasks.add_column(sa.Column("time_limit", sa.Float))
        tasks.add_column(sa.Column("cancel_us", Whole))
        tasks.add_column(sa.Column("retry_of", sa.String(36)))
        tasks.add_column(sa.Column("run", sa.String(64)))
    op.create_table(
        "dead_letters",
        sa.Column("id", Whole, autoincrement=True, nullable=False),
        sa.Column("queue", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("task_id", sa.String(64)),
        sa.Column("task_known", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("properties", sa.JSON, nullable=False),
        sa.Column("at_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("dead_letters")
    with op.batch_alter_table("tasks") as tasks:
        for column in ("delivery", "max_retries", "time_limit", "cancel_us", "retry_of", "run"):
            tasks.drop_column(column)
