"""Groups of tasks, uploaded images, the control page's picture."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("tasks") as tasks:
        tasks.add_column(sa.Column("group_id", sa.String(36)))
        tasks.create_index("ix_tasks_group_id_num", ["group_id", "num"])
    op.create_table(
        "task_groups",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("operation", sa.JSON),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("created_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_groups"),
    )
    op.create_index("ix_task_groups_created_us", "task_groups", ["created_us"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("format", sa.String(8), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", Whole, nullable=False),
        sa.Column("created_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_created_us", "uploads", ["created_us"])
    picture = op.create_table(
        "control_picture",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("picture", sa.JSON),
        sa.Column("at_us", Whole, nullable=False),
        sa.Column("lease_until_us", Whole, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_control_picture"),
    )
    op.bulk_insert(picture, [{"id": 1, "picture": None, "at_us": 0, "lease_until_us": 0}])


def downgrade() -> None:
    op.drop_table("control_picture")
    op.drop_table("uploads")
    op.drop_table("task_groups")
    with op.batch_alter_table("tasks") as tasks:
        tasks.drop_index("ix_tasks_group_id_num")
        tasks.drop_column("group_id")
