"""The client's typed options equal the service's: neither can gain, lose or rename one alone."""

from __future__ import annotations

from typing import Literal, get_args, get_origin, get_type_hints

from packshot.client.options import FILE_OPTIONS, OptionFields, Photo
from packshot.core.options import OPTIONS

HINTS = get_type_hints(OptionFields)
KINDS = {"text": str, "switch": bool, "whole number": int, "number": float, "file": Photo}


def test_the_same_options_in_the_same_order() -> None:
    assert list(HINTS) == list(OPTIONS)


def test_the_same_kinds_and_choices() -> None:
    for name, option in OPTIONS.items():
        if option.choices:
            assert get_origin(HINTS[name]) is Literal, name
            assert get_args(HINTS[name]) == option.choices, name
        else:
            assert HINTS[name] == KINDS[option.kind], name


def test_the_same_options_are_files() -> None:
    assert {name for name, option in OPTIONS.items() if option.kind == "file"} == FILE_OPTIONS
