"""What ran by the clock, and the reports that it made."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_index("ix_tasks_finished_us", "tasks", ["finished_us"])
    op.create_index("ix_submissions_created_us", "submissions", ["created_us"])
    op.create_table(
        "schedule_runs",
        sa.Column("id", Whole, autoincrement=True, nullable=False),
        sa.Column("entry", sa.String(64), nullable=False),
        sa.Column("due_us", Whole),
        sa.Column("task_id", sa.String(36), nullable=False),
        sa.Column("created_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedule_runs"),
        sa.UniqueConstraint("entry", "due_us", name="uq_schedule_runs_entry_due_us"),
    )
    op.create_index("ix_schedule_runs_entry_id", "schedule_runs", ["entry", "id"])
    op.create_index("ix_schedule_runs_created_us", "schedule_runs", ["created_us"])
    op.create_table(
        "reports",
        sa.Column("id", Whole, autoincrement=True, nullable=False),
        sa.Column("task_id", sa.String(36), nullable=False),
        sa.Column("since_us", Whole, nullable=False),
        sa.Column("until_us", Whole, nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("mail", sa.String(8)),
        sa.Column("mail_error", sa.Text),
        sa.Column("mail_us", Whole),
        sa.Column("created_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.UniqueConstraint("task_id", name="uq_reports_task_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reports_created_us", "reports", ["created_us"])


def downgrade() -> None:
    op.drop_table("reports")
    op.drop_table("schedule_runs")
    op.drop_index("ix_submissions_created_us", "submissions")
    op.drop_index("ix_tasks_finished_us", "tasks")
