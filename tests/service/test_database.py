from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from packshot.errors import BadSettings, DatabaseUnavailable
from packshot.service.database import Database, Place


def test_what_is_no_database_or_has_no_place_is_a_setup_error(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"not a database, and long enough to be looked at" * 50)
    for path in (rubbish, tmp_path / "missing" / "accounts.sqlite3"):
        with pytest.raises(BadSettings, match="PACKSHOT_STATE_DIR"):
            Database(path)


def test_a_transaction_that_fails_leaves_nothing(place: Place) -> None:
    database = Database(place)
    with pytest.raises(RuntimeError), database.transaction() as connection:
        connection.execute(text("INSERT INTO idempotency VALUES ('k', 'i', 'h', 0, NULL)"))
        raise RuntimeError
    assert database.rows(text("SELECT * FROM idempotency")) == []
    database.close()


def test_a_failing_database_is_an_error_of_ours(place: Place) -> None:
    database = Database(place)
    with pytest.raises(DatabaseUnavailable):
        database.rows(text("SELECT * FROM no_such_table"))
    database.check()  # an internal error does not count as the server's
    database.close()
    with pytest.raises(DatabaseUnavailable):
        database.change(text("DELETE FROM keys"))
