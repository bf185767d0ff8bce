"""Indexes for the filters of the table of tasks: by kind, by worker, by error, without the schedule's checks."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OWN = "experiment_id IS NULL"
INDEXES = {
    "ix_tasks_kind_num": (["kind", "num"], OWN),
    "ix_tasks_worker_num": (["worker", "num"], f"{OWN} AND worker IS NOT NULL"),
    "ix_tasks_num_error": (["num"], f"{OWN} AND error IS NOT NULL"),
    "ix_tasks_num_no_checks": (["num"], f"{OWN} AND kind <> 'health_check'"),
    "ix_tasks_checks": (["kind", "status", "method"], f"{OWN} AND kind = 'health_check'"),
}


def upgrade() -> None:
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "tasks", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "tasks")
