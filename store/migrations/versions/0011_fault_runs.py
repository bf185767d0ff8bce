"""Runs of the fault lab."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "fault_runs",
        sa.Column("num", Whole, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(255)),
        sa.Column("card", sa.String(40), nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("document", sa.JSON),
        sa.Column("outcome", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("created_us", Whole, nullable=False),
        sa.Column("started_us", Whole),
        sa.Column("finished_us", Whole),
        sa.Column("cancel_us", Whole),
        sa.Column("lease_until_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("num", name="pk_fault_runs"),
        sa.UniqueConstraint("id", name="uq_fault_runs_id"),
        sa.UniqueConstraint("key", name="uq_fault_runs_key"),
    )
    op.create_index("ix_fault_runs_status_num", "fault_runs", ["status", "num"])


def downgrade() -> None:
    op.drop_table("fault_runs")
