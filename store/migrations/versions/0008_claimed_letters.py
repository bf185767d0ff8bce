"""Who sends a dead letter again claims it first."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("dead_letters", sa.Column("claimed_us", Whole, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("dead_letters", "claimed_us")
