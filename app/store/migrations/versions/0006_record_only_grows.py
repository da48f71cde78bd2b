"""the record only grows: on SQLite its rows refuse to be changed or taken out (on Postgres rights do that: app.store.rights)"""

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for verb in ("UPDATE", "DELETE"):
        refuse = "SELECT RAISE(ABORT, 'the record is only ever added to')"
        op.execute(f"CREATE TRIGGER timeline_{verb.lower()} BEFORE {verb} ON timeline BEGIN {refuse}; END")
