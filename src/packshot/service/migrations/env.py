"""Alembic's entry point: runs the steps on the connection and in the transaction of migrations/__init__.py."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
