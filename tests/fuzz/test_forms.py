"""Well-formed forms with arbitrary content: the result is an order, or an error that the service can report."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packshot.api.removebg.fields import FIELDS
from packshot.core.options import OPTIONS
from tests.fuzz.forms import PHOTO, multipart, packed
from tests.fuzz.targets import check_form

numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 1e308, 2**63]))
plain = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=30))
values = st.one_of(plain, st.lists(plain, max_size=2), st.dictionaries(st.text(max_size=3), plain, max_size=2))
texts = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"-?[0-9.]{0,400}(px|%)?([ ,]-?[0-9.]{1,9}(px|%)?){0,4}", fullmatch=True),
    st.sampled_from([each for option in OPTIONS.values() for each in option.examples]),
)
names = st.one_of(st.sampled_from(sorted(OPTIONS)), st.text(max_size=10))
vendors_names = st.one_of(st.sampled_from(sorted(FIELDS)), st.text(max_size=10))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.slow
@given(st.dictionaries(names, values, max_size=4))
@example({"background": 10**400})
@settings(max_examples=60)
def test_json_among_the_parts(said: dict[str, object]) -> None:
    check_form(packed(0, 0, multipart({"image": PHOTO, "options": json.dumps(said)})))


@pytest.mark.slow
@given(st.dictionaries(names, texts, max_size=4))
@settings(max_examples=60)
def test_fields(said: dict[str, str]) -> None:
    parts = {name.replace('"', "").replace("\r", "").replace("\n", ""): value for name, value in said.items()}
    check_form(packed(0, 0, multipart({"image": PHOTO, **parts})))


@pytest.mark.slow
@given(st.dictionaries(vendors_names, values, max_size=4), st.sampled_from([{}, {"image_file_b64": "aGVsbG8="}]))
@settings(max_examples=60)
def test_the_second_dialect_in_json(said: dict[str, object], photo: dict[str, object]) -> None:
    check_form(packed(1, 1, json.dumps({**said, **photo}).encode()))


@pytest.mark.slow
@given(st.dictionaries(vendors_names, texts, max_size=4), st.sampled_from([{}, {"image_file_b64": "aGVsbG8="}]))
@settings(max_examples=60)
def test_the_second_dialect_in_a_form(said: dict[str, str], photo: dict[str, str]) -> None:
    check_form(packed(1, 2, urlencode({**said, **photo}, errors="replace").encode()))
