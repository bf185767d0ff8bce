"""On SQLite a result is kept as text: a bare number under the type JSON became a float (its affinity is NUMERIC,
https://www.sqlite.org/datatype3.html#determination_of_column_affinity)."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in ("tasks", "workflows"):
        # Not by a copy of the table: dropping the old one would delete what refers to it.
        op.add_column(table, sa.Column("result_text", sa.Text))
        op.execute(f"UPDATE {table} SET result_text = CAST(result AS TEXT) WHERE result IS NOT NULL")  # noqa: S608
        op.execute(f"ALTER TABLE {table} DROP COLUMN result")
        op.execute(f"ALTER TABLE {table} RENAME COLUMN result_text TO result")
