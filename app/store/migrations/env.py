"""Alembic's entrance; the URL is given by `app.store.migrate`."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.store.tables import metadata

engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.connect() as connection:
    # Whatever else lives in that database is none of ours.
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=lambda _object, name, kind, *_rest: kind != "table" or name in metadata.tables,
    )
    with context.begin_transaction():
        context.run_migrations()
