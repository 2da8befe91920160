"""Results on a real S3 server: several replicas, redirects, and the effects of a failing network on each party."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import obstore
import pytest
from PIL import Image

from packshot.api.ailab.routes import RESULTS
from packshot.client import AsyncClient, Client, Packshot
from packshot.errors import ResultUnknown, StoreUnavailable
from packshot.service.results import ResultStore, new_result_id
from packshot.storage import bucket
from packshot.storage.bucket import Bucket, BucketStorage, open_bucket
from tests.contract.envelope import failure, success_path
from tests.kit.faultproxy import FaultProxy, Faults, fault_proxy
from tests.kit.images import good
from tests.kit.native import problem
from tests.kit.s3 import S3
from tests.kit.server import Clock, Running, serving, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BUCKET = "results"
SECRETS = ("s" * 32,)
PHOTO = good("jpeg", 320, 240)


@pytest.fixture(scope="module")
def s3(shared_s3: S3) -> Iterator[S3]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared_s3.environment.items():
            patch.setenv(name, value)
        shared_s3.make_bucket(BUCKET)
        yield shared_s3


@pytest.fixture
def proxy(s3: S3) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint) as proxy:
        yield proxy


@contextmanager
def replica(
    folder: Path, *, prefix: str = "shared", endpoint: str = "", clock: Clock | None = None, **settings: object
) -> Iterator[Running]:
    """A service with its own state, and results in the shared bucket."""
    url = f"s3://{BUCKET}/{prefix}"
    service = serving(folder, now=clock or Clock(), results_url=url, url_secrets=SECRETS, **settings)
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            if endpoint:
                patch.setenv("AWS_ENDPOINT_URL", endpoint)
            running = stack.enter_context(service)
        yield running


def opened() -> Bucket:
    return open_bucket(f"s3://{BUCKET}", deadline_s=20, page="")


def objects(prefix: str) -> list[str]:
    """The results in the bucket, without the probe and the mark of the last sweep."""
    names = [meta["path"].rpartition("/")[2] for page in obstore.list(opened(), prefix) for meta in page]
    return [name for name in names if name not in {"probe", "sweep"}]


def put_as_picture(response: httpx.Response) -> None:
    assert response.status_code == 200
    assert Image.open(io.BytesIO(response.content)).mode == "RGBA"


class TestReplicas:
    def test_each_serves_what_the_other_made(self, s3: S3, tmp_path: Path) -> None:
        with replica(tmp_path / "a") as first, replica(tmp_path / "b") as second:
            for maker, other in ((first, second), (second, first)):
                path = success_path(maker.send(good("jpeg")))
                here, there, head = maker.http.get(path), other.http.get(path), other.http.head(path)
                put_as_picture(here)
                assert there.content == here.content
                assert head.content == b""
                for name in ("content-type", "content-length", "content-disposition", "x-content-type-options"):
                    assert here.headers[name] == there.headers[name] == head.headers[name]
        with replica(tmp_path / "c") as third:  # and after both are gone
            assert third.http.get(path).content == here.content

    def test_the_link_itself_expires_on_the_second(self, s3: S3, tmp_path: Path) -> None:
        clock = Clock()
        with replica(tmp_path, clock=clock) as running:
            path = success_path(running.send(good("jpeg")))
            clock.ahead_s = 24 * 3600 + 1
            failure(running.http.get(path), 410, "ERROR_RESOURCE_RECLAIMED")

    def test_a_result_that_is_gone_is_unknown_and_a_bucket_that_is_gone_is_a_fault(
        self, s3: S3, tmp_path: Path
    ) -> None:
        with replica(tmp_path / "a") as running:
            path = success_path(running.send(good("jpeg")))
            obstore.delete(opened(), f"shared/{key_of(path)}")
            assert running.http.get(path).status_code == 404
        with serving(tmp_path / "b", results_url="s3://no-such-bucket", url_secrets=SECRETS) as running:
            problem(running.http.get("/readyz"), 502, "store-unavailable")
            failure(running.http.get(path), 502, "ERROR_GATEWAY")
            assert running.http.get("/healthz").status_code == 200

    def test_the_sweeper_empties_a_bucket(self, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with replica(tmp_path, prefix="swept") as running:
            for _ in range(3):
                success_path(running.send(good("jpeg")))
            assert len(objects("swept")) == 3
            monkeypatch.setattr(running.service.store, "_sweep_every_s", 0)
            asyncio.run(running.service.store.remove_older(time.time() - 60))
            assert len(objects("swept")) == 3
            asyncio.run(running.service.store.remove_older(time.time() + 60))
            assert objects("swept") == []


def id_of(path: str) -> str:
    return path.removeprefix(f"{RESULTS}/").partition(".")[0]


def key_of(path: str) -> str:
    """The key of a result below the prefix."""
    name = path.removeprefix(f"{RESULTS}/").partition("?")[0]
    return f"{name[:2]}/{name}"


def test_the_rights_that_the_docs_ask_for_are_enough_and_end_at_the_prefix(s3: S3, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to/object-storage.md").read_text(encoding="utf-8")
    policy = json.loads(page[page.index('{"Version"') :].partition("\n\n")[0])
    s3.make_bucket("my-bucket")
    s3.allow("my-bucket", policy)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.limited.items():
            patch.setenv(name, value)
        inside, outside = (
            BucketStorage(open_bucket(url, deadline_s=10, page=""), url, deadline_s=10, private=True)
            for url in ("s3://my-bucket/results", "s3://my-bucket/elsewhere")
        )
        store, elsewhere = ResultStore(inside, sweep_every_s=0.001), ResultStore(outside)

    async def scenario() -> None:
        name = f"{new_result_id()}.png"
        await store.check()
        await store.put(name, b"data")
        assert await (await store.open(name)).read() == b"data"
        with pytest.raises(ResultUnknown):
            await store.open(f"{new_result_id()}.png")
        assert await store.remove_older(time.time() + 60) == 1
        with pytest.raises(StoreUnavailable):
            await elsewhere.put(name, b"data")

    asyncio.run(scenario())


class TestRedirect:
    def test_a_link_leads_to_the_bucket_for_some_minutes(self, s3: S3, tmp_path: Path) -> None:
        with replica(tmp_path, results_delivery="redirect") as running:
            path = success_path(running.send(good("jpeg"), return_form="whiteBK"))
            answer, head = running.http.get(path), running.http.head(path)
            assert answer.status_code == 307
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert (head.status_code, head.headers["content-type"]) == (200, "image/jpeg")
            address = answer.headers["location"]
            assert address.startswith(f"{s3.endpoint}/{BUCKET}/shared/")
            assert int(parse_qs(urlsplit(address).query)["X-Amz-Expires"][0]) == 300
            download = httpx.get(address)
            assert download.headers["content-type"] == "image/jpeg"
            assert download.headers["content-disposition"] == 'inline; filename="packshot.jpg"'
            assert Image.open(io.BytesIO(download.content)).format == "JPEG"
            assert httpx.get(address.replace(id_of(path), new_result_id())).status_code == 403
            assert httpx.get(address.partition("?")[0]).status_code == 403
            assert "location" not in running.http.get(path[:-1]).headers

    def test_our_own_clients_go_where_it_leads(self, s3: S3, tmp_path: Path) -> None:
        with replica(tmp_path, results_delivery="redirect") as running:
            with Client(running.base_url, running.new_key()) as client:
                waited = client.packshot(PHOTO)

            async def meanwhile() -> Packshot:
                async with AsyncClient(running.base_url, running.new_key()) as client:
                    return await client.packshot(PHOTO)

            for shot in (waited, asyncio.run(meanwhile())):
                assert Image.open(io.BytesIO(shot.data)).size == (shot.size.width, shot.size.height)

    def test_what_is_gone_or_expired_is_answered_by_us(self, s3: S3, tmp_path: Path) -> None:
        clock = Clock()
        with replica(tmp_path, clock=clock, results_delivery="redirect") as running:
            path = success_path(running.send(good("jpeg")))
            clock.ahead_s = 24 * 3600 - 100
            near_its_end = running.http.get(path).headers["location"]
            assert int(parse_qs(urlsplit(near_its_end).query)["X-Amz-Expires"][0]) <= 100
            clock.ahead_s = 24 * 3600 + 1
            failure(running.http.get(path), 410, "ERROR_RESOURCE_RECLAIMED")
            clock.ahead_s = 0
            obstore.delete(opened(), f"shared/{key_of(path)}")
            assert running.http.get(path).status_code == 404

    def test_callers_may_know_the_server_by_another_address(self, s3: S3, proxy: FaultProxy, tmp_path: Path) -> None:
        with replica(tmp_path, results_delivery="redirect", results_public_endpoint=proxy.url) as running:
            path = success_path(running.send(good("jpeg")))
            proxy.faults = Faults(refuse=True)  # the service itself does not use the proxy
            address = running.http.get(path).headers["location"]
            assert address.startswith(proxy.url)
            proxy.faults = Faults()
            put_as_picture(httpx.get(address))


AWAY = [Faults(refuse=True), Faults(black_hole=True)]
UP = [*AWAY, Faults(cut_up_after_bytes=3000), Faults(corrupt_up=True)]
DOWN = [*AWAY, Faults(cut_down_after_bytes=3000), Faults(corrupt_down=True)]


def named(faults: Faults) -> str:
    """The active faults, for the test's name."""
    return "-".join(name for name, value in asdict(faults).items() if value)


class TestFaults:
    """Deadline: 2 s. The photo's result is some 10 kB: above the cut-off of the faults, and a single piece."""

    @pytest.fixture
    def running(self, proxy: FaultProxy, tmp_path: Path) -> Iterator[Running]:
        with replica(tmp_path, prefix=tmp_path.name, endpoint=proxy.url, results_deadline_s=2.0) as running:
            yield running

    @pytest.mark.parametrize("faults", UP, ids=named)
    def test_a_result_that_cannot_be_kept_costs_nothing_and_leaves_nothing(
        self, running: Running, proxy: FaultProxy, faults: Faults, tmp_path: Path
    ) -> None:
        key = running.new_key(2)
        proxy.faults = faults
        started = time.monotonic()
        failure(running.send(PHOTO, key=key), 502, "ERROR_GATEWAY")
        assert time.monotonic() - started < 10
        assert running.credits_of(key) == 2
        assert objects(tmp_path.name) == []
        proxy.faults = Faults()
        put_as_picture(running.http.get(success_path(running.send(PHOTO, key=key))))
        assert running.credits_of(key) == 1

    @pytest.mark.parametrize("faults", DOWN, ids=named)
    def test_a_result_that_cannot_be_read_is_a_fault_and_never_another_picture(
        self, running: Running, proxy: FaultProxy, faults: Faults
    ) -> None:
        path = success_path(running.send(PHOTO))
        whole = running.http.get(path).content
        assert len(whole) > 6000
        proxy.faults = faults
        failure(running.http.get(path), 502, "ERROR_GATEWAY")
        proxy.faults = Faults()
        assert running.http.get(path).content == whole

    def test_a_slow_store_is_only_slow(self, running: Running, proxy: FaultProxy) -> None:
        proxy.faults = Faults(latency_s=0.1)
        put_as_picture(running.http.get(success_path(running.send(PHOTO))))

    @pytest.mark.parametrize("faults", AWAY, ids=named)
    def test_readiness_says_so_and_comes_back(
        self, running: Running, proxy: FaultProxy, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bucket, "PROOF_S", 0.0)
        assert running.http.get("/readyz").status_code == 200
        proxy.faults = faults
        problem(running.http.get("/readyz"), 502, "store-unavailable")
        assert running.http.get("/healthz").status_code == 200
        proxy.faults = Faults()
        wait_until(lambda: running.http.get("/readyz").status_code == 200)

    def test_a_large_result_cut_in_the_middle_is_not_taken_for_whole(
        self, running: Running, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bucket, "PIECE_BYTES", 4000)
        path = success_path(running.send(PHOTO))
        whole = running.http.get(path).content
        proxy.faults = Faults(latency_s=0.2)  # so that the next piece is still in flight
        with running.http.stream("GET", path) as answer:
            assert answer.status_code == 200
            pieces = answer.iter_raw()
            got = next(pieces)
            proxy.faults = Faults(black_hole=True)
            with pytest.raises(httpx.RemoteProtocolError):
                for piece in pieces:
                    got += piece
        assert got == whole[: len(got)]
        assert len(got) < len(whole)
