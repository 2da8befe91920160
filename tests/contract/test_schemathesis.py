"""schemathesis tests the service with the vendor's repaired file and packshot's /openapi.json, and finds nothing.

Its engine runs in this process, as `schemathesis run` would: examples, coverage and fuzzing. With packshot's file it
also runs stateful tests, from an image_url to its download. All checks are on, except where a comment gives a reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import engine
from schemathesis.core.transport import Response
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.schemas import BaseSchema

from packshot.api.ailab.cutouts import APPAREL, CUTOUTS
from packshot.api.app import OPTIONAL
from tests.contract.envelope import check_common_schema
from tests.contract.repair import repaired_contract
from tests.kit.images import good
from tests.kit.server import ENDPOINT, Running, serving

pytestmark = pytest.mark.slow

PICTURES = st.sampled_from(["jpeg", "png", "bmp"]).map(lambda kind: good(kind, 64, 52))
GARBAGE = st.binary() | st.binary(max_size=20).map(lambda noise: good("png", 64, 52)[: len(noise) * 200] + noise)
# OpenAPI cannot express "bytes that are a picture": garbage is valid by the file, and rightly rejected.
REFUSING_IS_FINE = {"positive_data_acceptance": {"enabled": False}}

OPTIONAL_PATHS = [prefix for dialect in OPTIONAL.values() for prefix in dialect.prefixes]
NO_DOWNLOADS = {"stateful": {"enabled": False}}  # garbage gives no result to continue with


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a long queue, since photos with deferred work fill it."""
    with serving(tmp_path_factory.mktemp("state"), workers=1, queue_limit=1000, dialects=tuple(OPTIONAL)) as running:
        yield running


def load(running: Running, document: dict[str, Any], binary: st.SearchStrategy[bytes], **config: Any) -> BaseSchema:
    """The document as a test schema for the server, with pictures or garbage for `format: binary`."""
    schemathesis.openapi.format("binary", binary)
    # One seed: the default suite must not fail by chance. A longer search is `schemathesis run` on a served
    # /openapi.json.
    common = {"seed": 1, "base-url": running.base_url, "parameters": {"header.x-api-market-key": running.new_key()}}
    return schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict({**common, **config}))


def run(schema: BaseSchema) -> list[Response]:
    """Assert that schemathesis reports nothing for a schema; returns the responses."""
    answers: list[Response] = []
    complaints: list[object] = []
    for event in engine.from_schema(schema).execute():
        if isinstance(event, FatalError | NonFatalError):
            complaints.append(event)
        if isinstance(event, ScenarioFinished):
            answers += [call.response for call in event.recorder.interactions.values() if call.response]
            checks = [check for checks in event.recorder.checks.values() for check in checks]
            complaints += [check.failure_info for check in checks if check.failure_info]
    assert not complaints, "\n".join(map(str, complaints))
    return answers


def statuses(answers: list[Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


@pytest.mark.parametrize(
    ("binary", "options", "expected"),
    [
        (PICTURES, {"generation": {"max-examples": 8}}, {200, 400, 401, 405, 422}),
        (GARBAGE, {"generation": {"max-examples": 40}, "checks": REFUSING_IS_FINE}, {400, 401, 405, 415}),
    ],
    ids=["pictures", "garbage"],
)
def test_the_vendors_file(
    running: Running, binary: st.SearchStrategy[bytes], options: dict[str, Any], expected: set[int]
) -> None:
    answers = run(load(running, repaired_contract(), binary, **options))
    assert expected <= set(statuses(answers))
    for answer in answers:
        check_common_schema(json.loads(answer.content))


@pytest.mark.parametrize(
    ("binary", "options"),
    [
        (PICTURES, {"generation": {"max-examples": 3}}),
        (GARBAGE, {"generation": {"max-examples": 5}, "checks": REFUSING_IS_FINE, "phases": NO_DOWNLOADS}),
    ],
    ids=["pictures", "garbage"],
)
def test_our_own_file(running: Running, binary: st.SearchStrategy[bytes], options: dict[str, Any]) -> None:
    document = running.http.get("/openapi.json").json()
    schema = load(running, document, binary, **options)
    for path in (path for cutout in CUTOUTS for path in cutout.paths):
        if path not in {ENDPOINT, APPAREL.paths[0]}:  # one handler, two forms; another test sends a photo to each
            schema = schema.exclude(path=path)
    schema = schema.exclude(path_regex=r"^/v1/").exclude(path=OPTIONAL_PATHS)  # the next tests cover these
    assert {403, 405} <= set(statuses(run(schema)))


@pytest.mark.parametrize("binary", [PICTURES, GARBAGE], ids=["pictures", "garbage"])
@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ({**NO_DOWNLOADS, "coverage": {"enabled": False}}, {200, 401}),
        pytest.param({**NO_DOWNLOADS, "fuzzing": {"enabled": False}}, {200, 405}, marks=pytest.mark.slow),
    ],
    ids=["fuzzing", "coverage"],
)
def test_the_native_api(
    running: Running, binary: st.SearchStrategy[bytes], phases: dict[str, Any], expected: set[int]
) -> None:
    # OpenAPI cannot express which texts are colours or canvases either: values valid by the file may be rejected.
    config = {"generation": {"max-examples": 12}, "checks": REFUSING_IS_FINE, "phases": phases}
    keys = {"bearer": {"bearer": running.new_key()}, "x-api-key": {"api_key": running.new_key()}}
    document = running.http.get("/openapi.json").json()
    schema = load(running, document, binary, auth={"openapi": keys}, **config).include(path_regex=r"^/v1/")
    assert expected <= set(statuses(run(schema.exclude(path=OPTIONAL_PATHS))))


@pytest.mark.parametrize(
    ("binary", "expected"), [(PICTURES, {200}), (GARBAGE, {400, 422})], ids=["pictures", "garbage"]
)
def test_the_optional_forms(running: Running, binary: st.SearchStrategy[bytes], expected: set[int]) -> None:
    phases = {**NO_DOWNLOADS, "coverage": {"enabled": False}}
    config = {"generation": {"max-examples": 3}, "checks": REFUSING_IS_FINE, "phases": phases}
    keys = {"bearer": {"bearer": running.new_key()}, "x-api-key": {"api_key": running.new_key()}}
    document = running.http.get("/openapi.json").json()
    schema = load(running, document, binary, auth={"openapi": keys}, **config).include(path=OPTIONAL_PATHS)
    assert expected <= set(statuses(run(schema)))
