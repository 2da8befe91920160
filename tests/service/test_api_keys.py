from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from packshot.service.accounts import digest_of, is_well_formed, new_api_key


def test_a_new_key_can_be_recognised_and_is_never_the_same() -> None:
    keys = {new_api_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(re.fullmatch(r"pk_[0-9A-Za-z]{49}", key) for key in keys)
    assert all(map(is_well_formed, keys))


@given(st.data())
def test_a_typing_error_is_noticed(data: st.DataObject) -> None:
    key = new_api_key()
    place = data.draw(st.integers(0, len(key) - 1))
    character = data.draw(st.characters(codec="ascii").filter(lambda c: c != key[place]))
    assert not is_well_formed(key[:place] + character + key[place + 1 :])


@given(st.text(max_size=80))
def test_rubbish_is_no_key(text: str) -> None:
    assert not is_well_formed(text)


def test_what_is_stored_does_not_show_the_key() -> None:
    key = new_api_key()
    assert len(digest_of(key)) == 32
    assert key.encode() not in digest_of(key)
