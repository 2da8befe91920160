"""Photos and mattes in memory: found only by their key, exact, within a budget, gone after their life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.confidence import Signs
from packshot.core.options import Options
from packshot.core.picture import Float32
from packshot.core.recipe import Recipe, make_recipe
from packshot.engine.job import MatteResult, make_job
from packshot.engine.network import Network, default_network
from packshot.engine.pipeline import run
from packshot.engine.presets import recipe_for
from packshot.errors import PhotoUnknown
from packshot.service.photos import ENTRY_BYTES, PackedMatte, Photos, photo_id_of
from tests.kit.images import as_jpeg, as_png, good, photo, product
from tests.service.kit import Clock, until

LIFE_S = 100.0


def photos(
    max_bytes: int = 1 << 20, clock: Clock | None = None, on_look: Callable[[bool], None] = lambda _: None
) -> Photos:
    return Photos(max_bytes, LIFE_S, now=clock or Clock(), network="a", on_look=on_look)


def is_kept(cache: Photos, key_id: str, photo_id: str) -> bool:
    try:
        cache.find(key_id, photo_id)
    except PhotoUnknown:
        return False
    return True


class TestTheFiles:
    def test_a_photo_is_found_by_its_own_key_alone(self) -> None:
        cache = photos()
        assert cache.keep("one", "photo", b"abc")
        assert cache.find("one", "photo") == b"abc"
        for key_id, photo_id in (("other", "photo"), ("one", "photo2"), ("one", ""), ("", "photo")):
            assert not is_kept(cache, key_id, photo_id)

    def test_another_byte_is_another_photo(self) -> None:
        assert photo_id_of(b"abc") == photo_id_of(b"abc") != photo_id_of(b"abd")

    def test_one_that_is_not_asked_for_is_gone_after_its_life(self) -> None:
        clock = Clock()
        cache = photos(clock=clock)
        for name in ("used", "unused"):
            cache.keep("one", name, b"abc")
        clock.advance(LIFE_S - 1)
        cache.find("one", "used")
        clock.advance(1)
        assert is_kept(cache, "one", "used")
        assert not is_kept(cache, "one", "unused")
        clock.advance(-2 * LIFE_S)  # a clock that was set back extends no life
        assert not is_kept(cache, "one", "used")

    def test_a_service_that_nobody_calls_lets_go_too(self) -> None:
        clock = Clock()
        cache = photos(clock=clock)
        cache.keep("one", "photo", b"abc")
        cache.mattes("one", "photo").keep(Recipe(), a_matte())  # type: ignore[union-attr]

        async def idle() -> None:
            running = asyncio.create_task(cache.run(every_s=0.001))
            await asyncio.sleep(0.01)
            assert cache.held_bytes
            clock.advance(LIFE_S)
            await until(lambda: not cache.held_bytes)
            running.cancel()

        asyncio.run(idle())

    def test_one_that_is_too_large_alone_is_not_kept_and_pushes_nothing_out(self) -> None:
        cache = photos(8 * ENTRY_BYTES)
        cache.keep("one", "small", b"abc")
        assert not cache.keep("one", "large", bytes(4 * ENTRY_BYTES))
        assert is_kept(cache, "one", "small")
        assert not is_kept(cache, "one", "large")

    def test_nothing_is_kept_without_a_budget(self) -> None:
        cache = photos(0)
        assert not cache.keep("one", "photo", b"")
        assert cache.mattes("one", "photo") is None

    def test_a_key_that_sends_much_pushes_out_its_own(self) -> None:
        cache = photos(20 * ENTRY_BYTES)  # ten files without bytes
        for number in range(3):
            cache.keep("shop", f"photo {number}", b"")
        for number in range(50):
            cache.keep("bulk", f"photo {number}", b"")
        assert [is_kept(cache, "shop", f"photo {number}") for number in range(3)] == [True] * 3
        assert [number for number in range(50) if is_kept(cache, "bulk", f"photo {number}")] == list(range(43, 50))

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["keep", "find", "drop", "wait"]),
                st.sampled_from("abc"),
                st.sampled_from("xyz"),
                st.integers(0, 6000),
            ),
            max_size=60,
        ),
        st.integers(0, 24_000),
    )
    def test_whatever_comes_the_budget_holds_and_what_is_found_is_what_was_kept(
        self, steps: list[tuple[str, str, str, int]], max_bytes: int
    ) -> None:
        clock = Clock()
        cache, kept = photos(max_bytes, clock), dict[tuple[str, str], tuple[bytes, float]]()
        for number, (step, key_id, name, size) in enumerate(steps):
            if step == "keep":
                data = bytes([number]) * size
                if cache.keep(key_id, name, data):
                    kept[key_id, name] = data, clock()
                    assert is_kept(cache, key_id, name)
                else:
                    assert size + ENTRY_BYTES > max_bytes // 2
            elif step == "find" and is_kept(cache, key_id, name):
                data, used_at = kept[key_id, name]
                assert cache.find(key_id, name) is data
                assert clock() - used_at < LIFE_S
                kept[key_id, name] = data, clock()
            elif step == "wait":
                clock.advance(size / 60)
            else:
                cache.drop_expired()
            assert cache.held_bytes <= max_bytes // 2
        clock.advance(LIFE_S)
        cache.drop_expired()
        assert cache.held_bytes == 0

    def test_threads_leave_the_books_right(self) -> None:
        cache = photos(40 * ENTRY_BYTES)

        def work(number: int) -> None:
            key_id, name = f"key {number % 5}", f"photo {number % 11}"
            cache.keep(key_id, name, bytes(number))
            is_kept(cache, key_id, name)
            cache.drop_expired()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(800)))
        assert 0 < cache.held_bytes <= 20 * ENTRY_BYTES
        found = [(key, name) for key in range(5) for name in range(11) if is_kept(cache, f"key {key}", f"photo {name}")]
        assert cache.held_bytes == sum(
            ENTRY_BYTES + len(cache.find(f"key {key}", f"photo {name}")) for key, name in found
        )


def a_matte(value: float = 0.5) -> MatteResult:
    return MatteResult(np.full((3, 4), value, np.float32), 0.9, 1.0, None, Signs(0.5))


mattes = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=st.one_of(st.sampled_from([0.0, 1.0, -0.0, float("nan")]), st.floats(0, 1, width=32)),
    fill=st.sampled_from([0.0, 1.0]).map(np.float32),
)


@given(mattes)
def test_a_matte_comes_back_bit_by_bit(matte: Float32) -> None:
    for one in (matte, matte.T, matte[::2]):
        back = PackedMatte.of(MatteResult(one, 0.25, 0.75)).unpack()
        assert back.matte.tobytes() == one.tobytes()
        assert back.matte.shape == one.shape
        assert (back.confidence, back.most) == (0.25, 0.75)


def test_a_matte_of_a_photo_takes_a_fraction_of_its_bytes() -> None:
    alpha = product(800, 600)[1] / np.float32(255)
    assert PackedMatte.of(MatteResult(alpha, None)).size_bytes < alpha.nbytes / 20


class TestTheMattes:
    def test_one_is_found_for_the_same_key_photo_region_and_touch_up_alone(self) -> None:
        cache = photos()

        def found(key_id: str = "one", photo_id: str = "photo", **options: Any) -> bool:
            known = cache.mattes(key_id, photo_id)
            assert known is not None
            return known.find(make_recipe(Options.from_fields(options))) is not None

        known = cache.mattes("one", "photo")
        assert known is not None
        known.keep(make_recipe(Options.from_fields({"roi": "0 0 50% 50%", "touch_up": b"a"})), a_matte())
        assert found(roi="0 0 50% 50%", touch_up=b"a", background="white", crop=True, shadow="soft", form="flattened")
        assert not found(roi="0 0 50% 50%")
        assert not found(touch_up=b"a")
        assert not found(roi="0 0 50% 50%", touch_up=b"b")
        assert not found(roi="0 0 50% 51%", touch_up=b"a")
        assert not found("other", roi="0 0 50% 50%", touch_up=b"a")
        assert not found("one", "photo2", roi="0 0 50% 50%", touch_up=b"a")

    def test_every_look_is_told(self) -> None:
        looks: list[bool] = []
        known = photos(on_look=looks.append).mattes("one", "photo")
        assert known is not None
        known.find(Recipe())
        known.keep(Recipe(), a_matte())
        known.find(Recipe())
        assert looks == [False, True]


@pytest.fixture(scope="module")
def network() -> Network:
    return default_network()


def veiled() -> bytes:
    """A file with partial alpha of its own."""
    rgb, alpha = product(96, 80, 3)
    return as_png(np.dstack([rgb, np.maximum(alpha, 90)]))


PHOTOS = {
    "a scene": lambda: as_jpeg(photo(120, 90, 1)),
    "a plain ground": lambda: as_jpeg(np.where(product(120, 90, 2)[1][..., None] > 0, photo(120, 90, 2), 255)),
    "alpha": lambda: as_png(np.dstack(product(96, 80, 4))),
    "a veil": veiled,
}
FINDING: list[dict[str, object]] = [
    {},
    {"roi": "5% 5% 95% 95%"},
    {"touch_up": as_png(np.full((45, 60), 128, np.uint8))},
]
SHOWING: list[dict[str, object]] = [
    {},
    {"form": "mask"},
    {"background": "white", "crop": True, "margin": "5%"},
    {"background": "blur", "shadow": "photo"},
    {"preset": "square", "format": "webp"},
    {"canvas": "70x90", "fill": "80%", "shadow": "soft"},
    {"background_picture": good("jpeg", 64, 64)},
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", PHOTOS)
@settings(max_examples=4, deadline=None)
@given(st.sampled_from(FINDING), st.lists(st.sampled_from(SHOWING), min_size=2, max_size=3))
def test_what_is_rendered_from_a_kept_matte_is_what_the_photo_gives_byte_for_byte(
    kind: str, network: Network, finding: dict[str, object], showing: list[dict[str, object]]
) -> None:
    data, asked = PHOTOS[kind](), list[bool]()
    known = photos(on_look=asked.append).mattes("one", photo_id_of(data))
    for options in showing:
        job = make_job(data, recipe_for(Options.from_fields({**finding, **options})))
        again, first = run(job, network, mattes=known), run(job, network)
        assert again.data == first.data
        assert again == first
    assert asked == [False] + [True] * (len(showing) - 1)
