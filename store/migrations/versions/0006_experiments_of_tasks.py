"""Tasks of experiments, kept apart from all others; indexes of those rows alone that are looked for by them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OWN = "experiment_id IS NULL"
BEFORE = (
    ["method", "num"],
    ["status", "num"],
    ["method", "status", "num"],
    ["change_id"],
    ["group_id", "num"],
    ["workflow_id", "num"],
    ["finished_us"],
)
AFTER = (
    (["num"], OWN),
    (["method", "num"], OWN),
    (["method", "status", "num"], OWN),
    (["change_id"], OWN),
    (["group_id", "num"], "group_id IS NOT NULL"),
    (["workflow_id", "num"], "workflow_id IS NOT NULL"),
    (["experiment_id", "num"], "experiment_id IS NOT NULL"),
    (["finished_us"], "finished_us IS NOT NULL"),
)


def upgrade() -> None:
    for columns in BEFORE:
        op.drop_index(_name(columns), "tasks")
    op.add_column("tasks", sa.Column("experiment_id", sa.String(36)))
    for columns, condition in AFTER:
        where = sa.text(condition)
        op.create_index(_name(columns), "tasks", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for columns, _ in AFTER:
        op.drop_index(_name(columns), "tasks")
    op.drop_column("tasks", "experiment_id")
    for columns in BEFORE:
        op.create_index(_name(columns), "tasks", columns)


def _name(columns: list[str]) -> str:
    return f"ix_tasks_{'_'.join(columns)}"
