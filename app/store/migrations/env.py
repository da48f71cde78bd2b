"""Alembic's entrance; the URL is given by `app.store.migrate`."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.store.tables import metadata

engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.connect() as connection:
    if connection.dialect.name == "sqlite":  # its driver would commit each statement by itself, and a kill leave half a migration
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.isolation_level = None
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    # Whatever else lives in that database is none of ours.
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        include_object=lambda _object, name, kind, *_rest: kind != "table" or name in metadata.tables,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
