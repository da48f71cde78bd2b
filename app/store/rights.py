"""On Postgres: the rights of a role that works with the database and can only add to the record, never change it or take from it.

Its owner gives them, another role: whoever owns a table can give all rights back to themselves.
"""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from app.store.migrate import WrongDatabase
from app.store.tables import metadata, timeline

_WORK, _ADD = "SELECT, INSERT, UPDATE, DELETE", "SELECT, INSERT"


def give(url: str, role: str) -> None:
    """Gives an existing role what `tocsin serve` and `worker` need, and no more. Raises `WrongDatabase`, having changed nothing."""
    engine = create_engine(url)
    try:
        with engine.begin() as tx:
            if tx.dialect.name != "postgresql":
                raise WrongDatabase("SQLite knows no roles: set TOCSIN_DATABASE_URL to a Postgres database, as its owner.")
            _give(tx, role)
            if held := _more(tx, role):
                raise WrongDatabase(f"{role} could change the record all the same ({held}). Make a role of its own, that is nothing else.")
    except DBAPIError as error:
        raise WrongDatabase(f"The rights cannot be given: {error.orig}") from error
    finally:
        engine.dispose()


def _give(tx: Connection, role: str) -> None:
    quote = tx.dialect.identifier_preparer.quote_identifier
    to, schema = quote(role), quote(str(tx.scalar(text("SELECT current_schema()"))))
    tx.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {to}"))
    tx.execute(text(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {to}"))
    rights = {quote(table.name): _ADD if table is timeline else _WORK for table in metadata.sorted_tables} | {"alembic_version": "SELECT"}
    for table, given in rights.items():
        tx.execute(text(f"REVOKE ALL ON TABLE {table} FROM {to}"))
        tx.execute(text(f"GRANT {given} ON TABLE {table} TO {to}"))


def _more(tx: Connection, role: str) -> str:
    """What more that role may do to the record, "" for nothing."""
    asked = text("SELECT has_table_privilege(:role, :table, :right)")
    held = [right for right in ("UPDATE", "DELETE", "TRUNCATE") if tx.scalar(asked, {"role": role, "table": timeline.name, "right": right})]
    owner = text(
        "SELECT pg_has_role(:role, tableowner, 'MEMBER') FROM pg_tables WHERE tablename = :table AND schemaname = current_schema()"
    )
    if tx.scalar(owner, {"role": role, "table": timeline.name}):
        held.append("it is, or may become, the owner")
    return ", ".join(held)
