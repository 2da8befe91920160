"""The sizes and the number of frames that a decoder really makes from an AV1 or HEVC stream.

The container may claim 100x100 px for a stream of 16384x16384 px, and one picture for a stream of ten thousand. A
decoder believes the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packshot.core.codecs.bmff import Count
from packshot.core.geometry import Size

Stream = bytes | memoryview

_AV1_SEQUENCE, _AV1_FRAMES = 1, frozenset({3, 6, 7})  # frame header; frame with tiles; redundant frame header
# A layered picture, which loads progressively, has at most four layers (AV1 specification, 6.7.5, spatial layers).
_MAX_AV1_FRAMES = 4
_HEVC_SPS, _HEVC_SETS, _HEVC_SLICES = 33, range(32, 35), range(32)
# libde265 takes up to 1 ms for a parameter set. A picture has three, or six if its stream repeats them.
_MAX_HEVC_SETS = 8
# libde265 decodes every slice to its end, even if others cover the same pixels.
_MAX_HEVC_SLICES = 32
# Enough for the fields that are read here: an AV1 header with all 32 operating points has 390 bytes.
_HEADER_BYTES = 512
_SELECT, _KEY, _INTRA, _SWITCH = 2, 0, 2, 3


@dataclass(frozen=True)
class Coded:
    """sizes: from each sequence header. frames: the number of decoded pictures."""

    sizes: list[Size]
    frames: int


def av1(settings: bytes, stream: Stream, units: Count) -> Coded:
    """Read the headers of an item's OBUs (AV1 specification, 5.3 to 5.9). `units` counts each OBU.

    Raises ValueError if the stream is cut, or has more frames than a picture has layers. Also raises ValueError if a
    frame is larger than its sequence header says.
    """
    sizes, frames, sequence = [], 0, None
    for kind, layers, body in _obus(stream, units):
        if kind == _AV1_SEQUENCE:
            sequence = _Av1Sequence(_Bits(body))
            sizes.append(sequence.size)
        elif kind in _AV1_FRAMES and sequence is not None:
            frames += 1
            sequence.check_frame(_Bits(body), layers)
            if frames > _MAX_AV1_FRAMES:
                raise ValueError("its stream has too many frames")
    return Coded(sizes, frames)


def hevc(settings: bytes, stream: Stream, units: Count) -> Coded:
    """Read the parameter sets (ITU-T H.265, 7.3.2.2) in the hvcC box (`settings`) and in the stream; count slices.

    Raises ValueError if the stream is cut, or has a second picture, or too many slices or parameter sets. Also raises
    ValueError if the sample depth differs from the box.
    """
    if len(settings) < 23:
        raise ValueError("its decoder settings end early")
    sizes, pictures, slices, sets = [], 0, 0, 0
    for unit in _nal_units(settings, stream, units):
        kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3
        if layer:  # of a second view; libde265 skips it
            continue
        sets += kind in _HEVC_SETS
        if sets > _MAX_HEVC_SETS:
            raise ValueError("its stream has too many parameter sets")
        if kind == _HEVC_SPS:
            sizes.append(_hevc_sps(_Bits(bytes(unit[2:]).replace(b"\0\0\3", b"\0\0")), settings[17] & 7))
        elif kind in _HEVC_SLICES:
            slices, pictures = slices + 1, pictures + (len(unit) > 2 and unit[2] >> 7)
            if pictures > 1 or slices > _MAX_HEVC_SLICES:
                raise ValueError("its stream has too many pictures or slices")
    return Coded(sizes, pictures)


def _obus(stream: Stream, units: Count) -> Iterator[tuple[int, tuple[int, int], Stream]]:
    """Kind, (temporal, spatial) layer, and first bytes of each OBU."""
    position = 0
    while position < len(stream):
        units.take()
        head, layers = stream[position], (0, 0)
        position += 1
        if head & 4:
            byte, position = _big_endian(stream, position, 1)
            layers = byte >> 5, byte >> 3 & 3
        length = len(stream) - position
        if head & 2:
            length, position = _leb128(stream, position)
        if length > len(stream) - position:
            raise ValueError("its stream is cut off")
        yield head >> 3 & 15, layers, stream[position : position + min(length, _HEADER_BYTES)]
        position += length


def _nal_units(settings: bytes, stream: Stream, units: Count) -> Iterator[Stream]:
    """The first bytes of all units with at least two bytes, from the settings and then from the stream."""
    position = 23
    for _ in range(settings[22]):
        count, position = _big_endian(settings, position + 1, 2)
        for _ in range(units.take(count)):
            length, position = _big_endian(settings, position, 2)
            yield from _nal_unit(settings, position, length)
            position += length
    position, length_bytes = 0, (settings[21] & 3) + 1
    while position < len(stream):
        units.take()
        length, position = _big_endian(stream, position, length_bytes)
        yield from _nal_unit(stream, position, length)
        position += length


def _nal_unit(data: Stream, position: int, length: int) -> Iterator[Stream]:
    if position + length > len(data):
        raise ValueError("its stream is cut off")
    if length >= 2:
        yield data[position : position + min(length, _HEADER_BYTES)]


def _hevc_sps(bits: _Bits, depth: int) -> Size:
    """Read the size from a sequence parameter set. depth: bits of a sample beyond 8, from the hvcC box."""
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + 96)  # the profile, tier and level of all layers
    present = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    bits.read(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.read(88 * profile + 8 * level)
    bits.exp_golomb()
    if bits.exp_golomb() == 3:
        bits.read(1)
    size = Size(bits.exp_golomb(), bits.exp_golomb())
    if bits.read(1):  # the shown part
        _ = [bits.exp_golomb() for _ in range(4)]
    if bits.exp_golomb() != depth:
        raise ValueError("it gives two depths for its samples")
    return size


class _Av1Sequence:
    """The part of a sequence header (AV1 specification, 5.5) that gives the size of a frame."""

    def __init__(self, bits: _Bits) -> None:
        bits.read(3 + 1)
        self.still = bits.read(1)  # the short header of still pictures
        self.time_bits, self.removal_bits = 0, 0
        self.points: list[int] = []  # the layers of each operating point that gives a removal time for frames
        if self.still:
            bits.read(5)
        else:
            self._operating_points(bits)
        self.side_bits = bits.read(4) + 1, bits.read(4) + 1
        self.size = Size(*(bits.read(side) + 1 for side in self.side_bits))
        self.id_bits, self.order_bits, self.screen, self.whole_vectors = 0, 0, _SELECT, _SELECT
        if not self.still:
            if bits.read(1):
                self.delta_id_bits = bits.read(4) + 2
                self.id_bits = self.delta_id_bits + bits.read(3) + 1
            self._tools(bits)

    def _operating_points(self, bits: _Bits) -> None:
        model, equal = 0, 0
        if bits.read(1):  # timing
            bits.read(64)
            equal = bits.read(1)
            if equal:
                bits.exp_golomb()
            model = bits.read(1)
            if model:
                delay_bits = bits.read(5) + 1
                bits.read(32)
                self.removal_bits, self.time_bits = bits.read(5) + 1, bits.read(5) + 1
        if equal:
            self.time_bits = 0
        delays = bits.read(1)
        for _ in range(bits.read(5) + 1):
            layers = bits.read(12)
            if bits.read(5) > 7:
                bits.read(1)
            modelled = model and bits.read(1)
            if modelled:
                bits.read(2 * delay_bits + 1)
            if delays and bits.read(1):
                bits.read(4)
            if modelled:
                self.points.append(layers)

    def _tools(self, bits: _Bits) -> None:
        bits.read(3 + 4)
        ordered = bits.read(1)
        if ordered:
            bits.read(2)
        self.screen = _SELECT if bits.read(1) else bits.read(1)
        if self.screen:
            self.whole_vectors = _SELECT if bits.read(1) else bits.read(1)
        if ordered:
            self.order_bits = bits.read(3) + 1

    def check_frame(self, bits: _Bits, layers: tuple[int, int]) -> None:
        """Read a frame header (5.9.2) up to its own size, if it gives one. Raises ValueError if that is too large."""
        if self.still or bits.read(1):  # an earlier frame is shown
            return
        kind, shown = bits.read(2), bits.read(1)
        if shown:
            bits.read(self.time_bits)
        else:
            bits.read(1)
        robust = kind == _SWITCH or (kind == _KEY and shown) or bits.read(1)
        bits.read(1)
        if (bits.read(1) if self.screen == _SELECT else self.screen) and self.whole_vectors == _SELECT:
            bits.read(1)
        bits.read(self.id_bits)
        if kind == _SWITCH or bits.read(1):
            self._check_size(bits, kind, shown, robust, layers)

    def _check_size(self, bits: _Bits, kind: int, shown: int, robust: int, layers: tuple[int, int]) -> None:
        alone = kind in {_KEY, _INTRA}
        bits.read(self.order_bits)
        if not alone and not robust:
            bits.read(3)
        if self.removal_bits and bits.read(1):
            for point in self.points:
                if not point or (point >> layers[0] & 1 and point >> layers[1] + 8 & 1):
                    bits.read(self.removal_bits)
        whole = kind == _SWITCH or (kind == _KEY and shown)
        refreshed = 0xFF if whole else bits.read(8)
        if (not alone or refreshed != 0xFF) and robust and self.order_bits:
            bits.read(8 * self.order_bits)
        if not alone and self._as_another(bits, robust):
            return
        if any(bits.read(side) >= most for side, most in zip(self.side_bits, self.size, strict=True)):
            raise ValueError("a frame of its stream is larger than its stream says")

    def _as_another(self, bits: _Bits, robust: int) -> bool:
        """Whether the frame takes its size from a frame that it refers to."""
        short = self.order_bits and bits.read(1)
        if short:
            bits.read(6)
        for _ in range(7):
            bits.read(0 if short else 3)
            if self.id_bits:
                bits.read(self.delta_id_bits)
        return not robust and any(bits.read(1) for _ in range(7))


def _leb128(data: Stream, position: int) -> tuple[int, int]:
    """The number, and the position behind it."""
    value = 0
    for number in range(8):
        byte, position = _big_endian(data, position, 1)
        value |= (byte & 127) << 7 * number
        if byte < 128:
            return value, position
    raise ValueError("its stream has a broken length")


def _big_endian(data: Stream, position: int, length: int) -> tuple[int, int]:
    if position + length > len(data):
        raise ValueError("its stream is cut off")
    return int.from_bytes(data[position : position + length], "big"), position + length


class _Bits:
    """Reads a header's bits from the upper end. Raises ValueError behind the last bit."""

    def __init__(self, data: Stream) -> None:
        self._value, self._left = int.from_bytes(data[:_HEADER_BYTES], "big"), 8 * min(len(data), _HEADER_BYTES)

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError("a header of its stream ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def exp_golomb(self) -> int:
        """A number of any size, ue(v) in HEVC and uvlc() in AV1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a header of its stream holds an endless number")
        return (1 << zeros) - 1 + self.read(zeros)
