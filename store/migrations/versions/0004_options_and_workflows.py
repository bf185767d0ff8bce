"""Options of tasks, and workflows made of tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


# What workflows begin with where nothing else is named: files below LAB_FILES, and two that hold their own text.
PATHS = (
    "file:///broker.txt",
    "file:///queue.txt",
    "data:text/plain,A%20message%20waits%20until%20somebody%20takes%20it.%0A",
    "file:///worker.txt",
    "file:///deutsch/quittung.txt",
    "data:text/plain;charset=utf-8;base64,"
    "0JfQsNC00LDRh9CwINCy0YvQv9C+0LvQvdC10L3QsC4g0KHQvtC+0LHRidC10L3QuNC1INC/0L7QtNGC0LLQtdGA0LbQtNC10L3Qvi4K",
)


def upgrade() -> None:
    with op.batch_alter_table("tasks") as tasks:
        tasks.add_column(sa.Column("options", sa.JSON))
        tasks.add_column(sa.Column("workflow_id", sa.String(36)))
        tasks.add_column(sa.Column("node", sa.String(64)))
        tasks.create_index("ix_tasks_workflow_id_num", ["workflow_id", "num"])
    op.create_table(
        "workflows",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("pattern", sa.String(32), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("params", sa.JSON, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("created_us", Whole, nullable=False),
        sa.Column("finished_us", Whole),
        sa.Column("deadline_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflows"),
    )
    op.create_index("ix_workflows_created_us", "workflows", ["created_us"])
    op.create_index("ix_workflows_status_deadline_us", "workflows", ["status", "deadline_us"])
    samples = op.create_table(
        "samples",
        sa.Column("num", Whole, autoincrement=False, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("num", name="pk_samples"),
    )
    op.bulk_insert(samples, [{"num": num, "path": path} for num, path in enumerate(PATHS, 1)])


def downgrade() -> None:
    op.drop_table("samples")
    op.drop_table("workflows")
    with op.batch_alter_table("tasks") as tasks:
        tasks.drop_index("ix_tasks_workflow_id_num")
        for column in ("options", "workflow_id", "node"):
            tasks.drop_column(column)
