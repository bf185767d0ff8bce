"""Experiments and their repetitions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("num", Whole, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(255)),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("setting", sa.JSON),
        sa.Column("outcome", sa.JSON),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("race", sa.JSON),
        sa.Column("error", sa.Text),
        sa.Column("created_us", Whole, nullable=False),
        sa.Column("started_us", Whole),
        sa.Column("finished_us", Whole),
        sa.Column("cancel_us", Whole),
        sa.Column("lease_until_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("num", name="pk_experiments"),
        sa.UniqueConstraint("id", name="uq_experiments_id"),
        sa.UniqueConstraint("key", name="uq_experiments_key"),
    )
    op.create_index("ix_experiments_status_num", "experiments", ["status", "num"])
    op.create_index("ix_experiments_finished_us", "experiments", ["finished_us"])
    op.create_table(
        "experiment_runs",
        sa.Column("num", Whole, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("arm", sa.Integer, nullable=False),
        sa.Column("begun_us", Whole, nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("samples", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("num", "turn", "arm", name="pk_experiment_runs"),
        sa.ForeignKeyConstraint(
            ["num"], ["experiments.num"], name="fk_experiment_runs_num_experiments", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("experiment_runs")
    op.drop_table("experiments")
