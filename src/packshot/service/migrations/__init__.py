"""Steps from the tables of one release to those of the next, run by Alembic at start. Never edited, only added to."""
