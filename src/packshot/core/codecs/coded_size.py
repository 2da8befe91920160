"""How large a picture a video decoder will really make: the sizes inside AV1 and HEVC streams.

The container around a stream may claim 100x100 px where the stream has 16384x16384, and a decoder believes the stream.
"""

from __future__ import annotations

from collections.abc import Iterator

from packshot.core.geometry import Size

_MAX_UNITS = 10_000
_AV1_SEQUENCE, _HEVC_SPS = 1, 33


def av1_sizes(stream: bytes) -> Iterator[Size]:
    """The largest frame of each sequence header (AV1 specification, 5.3 and 5.5). Raises ValueError."""
    position = 0
    for _ in range(_MAX_UNITS):
        if position >= len(stream):
            return
        head = stream[position]
        position += 2 if head & 4 else 1
        length = len(stream) - position
        if head & 2:
            length, position = _leb128(stream, position)
        if length > len(stream) - position:
            raise ValueError("its stream is cut off")
        if head >> 3 & 15 == _AV1_SEQUENCE:
            yield _av1_sequence(_Bits(stream[position : position + length]))
        position += length
    raise ValueError("its stream has too many parts")


def hevc_sizes(configuration: bytes, stream: bytes) -> Iterator[Size]:
    """The size of each sequence parameter set (ITU-T H.265, 7.3.2.2), in the hvcC box and in the stream itself.

    Raises: ValueError.
    """
    if len(configuration) < 23:
        raise ValueError("its decoder settings end early")
    position = 23
    for _ in range(configuration[22]):
        count, position = _big_endian(configuration, position + 1, 2)
        for _ in range(count):
            unit, position = _unit(configuration, position, 2)
            yield from _hevc_unit(unit)
    position, length_bytes = 0, (configuration[21] & 3) + 1
    for _ in range(_MAX_UNITS):
        if position >= len(stream):
            return
        unit, position = _unit(stream, position, length_bytes)
        yield from _hevc_unit(unit)
    raise ValueError("its stream has too many parts")


def _hevc_unit(unit: bytes) -> Iterator[Size]:
    if len(unit) > 2 and unit[0] >> 1 & 63 == _HEVC_SPS:
        yield _hevc_sps(_Bits(unit[2:400].replace(b"\0\0\3", b"\0\0")))


def _hevc_sps(bits: _Bits) -> Size:
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
    return Size(bits.exp_golomb(), bits.exp_golomb())


def _av1_sequence(bits: _Bits) -> Size:
    bits.read(3 + 1)
    if bits.read(1):  # the short header of still pictures
        bits.read(5)
    else:
        _av1_operating_points(bits)
    across, down = bits.read(4) + 1, bits.read(4) + 1
    return Size(bits.read(across) + 1, bits.read(down) + 1)


def _av1_operating_points(bits: _Bits) -> None:
    model, delay_bits = 0, 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            bits.exp_golomb()
        model = bits.read(1)
        if model:
            delay_bits = bits.read(5) + 1
            bits.read(32 + 10)
    delays = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if model and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if delays and bits.read(1):
            bits.read(4)


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """The number, and where the next byte is."""
    value = 0
    for number in range(8):
        byte, position = _big_endian(data, position, 1)
        value |= (byte & 127) << 7 * number
        if byte < 128:
            return value, position
    raise ValueError("its stream has a broken length")


def _unit(data: bytes, position: int, length_bytes: int) -> tuple[bytes, int]:
    length, position = _big_endian(data, position, length_bytes)
    if position + length > len(data):
        raise ValueError("its stream is cut off")
    return data[position : position + length], position + length


def _big_endian(data: bytes, position: int, length: int) -> tuple[int, int]:
    if position + length > len(data):
        raise ValueError("its stream is cut off")
    return int.from_bytes(data[position : position + length], "big"), position + length


class _Bits:
    """Bits from the upper end. Raises ValueError where they end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

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
