"""An in-memory cache of recent photos and mattes, to render a photo again without a new upload or network run.

Each entry belongs to one key, and only that key finds it. No key can name another key's photo, or learn from response
times that another key sent the same photo. After a cache miss, the photo is sent and computed again for no credit.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from isal import isal_zlib

from packshot.engine.job import MatteResult
from packshot.errors import PhotoUnknown

if TYPE_CHECKING:
    from packshot.core.picture import Bool, Float32
    from packshot.core.recipe import Recipe

T = TypeVar("T")
ID_CHARACTERS = 32
ENTRY_BYTES = 1024
"""Overhead per entry in addition to its bytes: names, objects and dictionary slots."""
SWEEP_EVERY_S = 60.0

_FASTEST = 0  # isal's level
_ONE = np.float32(1).view(np.uint32)


def photo_id_of(data: bytes) -> str:
    """The name of a photo: a hash of its bytes. Takes 0.1 s for the largest photo."""
    return hashlib.sha256(data).hexdigest()[:ID_CHARACTERS]


class Photos:
    """The cache: photo files and mattes, each within half of `max_bytes`. Safe for threads.

    life_s: lifetime of an unused entry, in seconds. on_look: called for each lookup of a matte, with True for a hit.
    """

    def __init__(
        self,
        max_bytes: int,
        life_s: float,
        *,
        now: Callable[[], float],
        network: str,
        on_look: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self.is_on = max_bytes > 0
        self.network = network
        self._files = _Shelf[bytes](max_bytes // 2, life_s, now)
        self._mattes = _Shelf[PackedMatte](max_bytes // 2, life_s, now)
        self._on_look = on_look

    @property
    def held_bytes(self) -> int:
        return self._files.held_bytes + self._mattes.held_bytes

    def keep(self, key_id: str, photo_id: str, data: bytes) -> bool:
        """Keep a photo's file. Returns whether the cache had room."""
        return self._files.put(key_id, photo_id, data, len(data))

    def find(self, key_id: str, photo_id: str) -> bytes:
        """The file of a photo that this key has sent recently.

        Raises: PhotoUnknown, also for a photo of another key and for an invalid name.
        """
        data = self._files.get(key_id, photo_id)
        if data is None:
            raise PhotoUnknown(
                "No photo with this id is kept for this key.",
                hint="Send the photo again as `image`, which costs no second credit within a day.",
                field="photo_id",
            )
        return data

    def mattes(self, key_id: str, photo_id: str) -> KeptMattes | None:
        """The mattes of a photo; None if the cache is off."""
        return KeptMattes(self, key_id, photo_id) if self.is_on else None

    def find_matte(self, key_id: str, name: Hashable) -> MatteResult | None:
        packed = self._mattes.get(key_id, name)
        self._on_look(packed is not None)
        return None if packed is None else packed.unpack()

    def keep_matte(self, key_id: str, name: Hashable, matte: MatteResult) -> None:
        packed = PackedMatte.of(matte)
        self._mattes.put(key_id, name, packed, packed.size_bytes)

    def drop_expired(self) -> None:
        """Drop entries that were not used within their lifetime."""
        self._files.drop_expired()
        self._mattes.drop_expired()

    async def run(self, every_s: float = SWEEP_EVERY_S) -> None:
        """Drop expired entries at intervals, so that an idle service frees its memory too."""
        while True:
            self.drop_expired()
            await asyncio.sleep(every_s)


@dataclass(frozen=True)
class KeptMattes:
    """The mattes of one photo of one key, for the pipeline (engine.job.Mattes)."""

    photos: Photos
    key_id: str
    photo_id: str

    def find(self, recipe: Recipe) -> MatteResult | None:
        return self.photos.find_matte(self.key_id, self._name(recipe))

    def keep(self, recipe: Recipe, matte: MatteResult) -> None:
        self.photos.keep_matte(self.key_id, self._name(recipe), matte)

    def _name(self, recipe: Recipe) -> Hashable:
        painted = None if recipe.touch_up is None else hashlib.sha256(recipe.touch_up).digest()
        return self.photo_id, self.photos.network, recipe.roi, painted


@dataclass(frozen=True, eq=False)
class PackedMatte:
    """A losslessly packed matte, in 1/50 to 1/90 of its bytes: 0.2 to 0.3 MB at 4 megapixels, 0.5 to 1 MB at 12.

    found: the result without its matte. shape: (height, width). solid, soft: packed bit planes, of pixels that are 1
    and of pixels strictly between 0 and 1. values: float32, the matte at the soft pixels.
    """

    found: MatteResult
    shape: tuple[int, int]
    solid: bytes
    soft: bytes
    values: Float32

    @classmethod
    def of(cls, found: MatteResult) -> PackedMatte:
        """Takes 10 to 15 ms at 4 megapixels, 30 to 60 ms at 12."""
        matte = np.ascontiguousarray(found.matte)
        height, width = matte.shape
        bits = matte.view(np.uint32)  # comparing bits keeps every value exactly
        solid, soft = bits == _ONE, bits != 0
        soft ^= solid
        rest = replace(found, matte=np.empty((0, 0), np.float32))
        return cls(rest, (height, width), _packed(solid), _packed(soft), matte[soft])

    def unpack(self) -> MatteResult:
        """Takes 4 to 10 ms at 4 megapixels, 30 ms at 12."""
        matte = self._unpacked(self.solid).astype(np.float32)
        matte[self._unpacked(self.soft)] = self.values
        return replace(self.found, matte=matte)

    @property
    def size_bytes(self) -> int:
        ground = self.found.ground
        return len(self.solid) + len(self.soft) + self.values.nbytes + (0 if ground is None else ground.reduced.nbytes)

    def _unpacked(self, plane: bytes) -> Bool:
        height, width = self.shape
        count = height * width
        bits = np.frombuffer(isal_zlib.decompress(plane, bufsize=count // 8 + 1), np.uint8)
        return np.unpackbits(bits, count=count).view(np.bool_).reshape(self.shape)


def _packed(plane: Bool) -> bytes:
    packed: bytes = isal_zlib.compress(np.packbits(plane), _FASTEST)
    return packed


@dataclass
class _Entry(Generic[T]):
    value: T
    size_bytes: int
    used_at: float


class _Shelf(Generic[T]):
    """Values by key and name, within a limit of bytes, in order of last use. Safe for threads.

    Without room, the shelf evicts the least recently used entry of the key with the most bytes. So a key that sends
    much evicts its own entries.
    """

    def __init__(self, max_bytes: int, life_s: float, now: Callable[[], float]) -> None:
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._life_s = life_s
        self._now = now
        self._lock = threading.Lock()
        self._entries: dict[str, OrderedDict[Hashable, _Entry[T]]] = {}
        self._held: Counter[str] = Counter()

    def get(self, key_id: str, name: Hashable) -> T | None:
        now = self._now()
        with self._lock:
            if key_id not in self._entries or name not in self._entries[key_id]:
                return None
            entry = self._entries[key_id][name]
            if self._is_over(entry, now):
                self._remove(key_id, name)
                return None
            entry.used_at = now
            self._entries[key_id].move_to_end(name)
            return entry.value

    def put(self, key_id: str, name: Hashable, value: T, size_bytes: int) -> bool:
        """Put a value in, replacing one of the same name. Returns False for a value larger than the whole shelf."""
        entry = _Entry(value, size_bytes + ENTRY_BYTES, self._now())
        if entry.size_bytes > self._max_bytes:
            return False
        with self._lock:
            self._remove(key_id, name)
            while self.held_bytes + entry.size_bytes > self._max_bytes:
                largest = max(self._held, key=lambda each: self._held[each])
                self._remove(largest, next(iter(self._entries[largest])))
            self._entries.setdefault(key_id, OrderedDict())[name] = entry
            self._count(key_id, entry.size_bytes)
        return True

    def drop_expired(self) -> None:
        now = self._now()
        with self._lock:
            old = [
                (key_id, name)
                for key_id, entries in self._entries.items()
                for name, entry in entries.items()
                if self._is_over(entry, now)
            ]
            for key_id, name in old:
                self._remove(key_id, name)

    def _is_over(self, entry: _Entry[T], now: float) -> bool:
        return abs(now - entry.used_at) >= self._life_s  # abs: a clock may be set back

    def _remove(self, key_id: str, name: Hashable) -> None:
        entries = self._entries.get(key_id)
        if entries is None or name not in entries:
            return
        self._count(key_id, -entries.pop(name).size_bytes)
        if not entries:
            del self._entries[key_id], self._held[key_id]

    def _count(self, key_id: str, size_bytes: int) -> None:
        self.held_bytes += size_bytes
        self._held[key_id] += size_bytes
