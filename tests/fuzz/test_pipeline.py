from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.pipeline import Case, cases, check


@pytest.mark.slow
@given(cases())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_photo_with_any_options(case: Case) -> None:
    check(case)
