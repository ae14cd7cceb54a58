"""Event files as TensorBoard reads them: records of (length, checksum, protocol buffer, checksum).

Written here, in the thirty lines that scalars need, because the libraries that write them bring torch, boto3 or half a second of imports
into every worker. Sources: the record format of TensorFlow's `TFRecord`, `Event` and `Summary` of its `event.proto` and `summary.proto`;
the tests read the files back with tensorboardX's classes.
"""

import struct
from collections.abc import Iterable, Mapping

_POLYNOMIAL = 0x82F63B78  # CRC-32C, Castagnoli, reflected
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5  # wire types of protocol buffers


def _table() -> list[int]:
    values = list(range(256))
    for _ in range(8):
        values = [value >> 1 ^ (_POLYNOMIAL if value & 1 else 0) for value in values]
    return values


_TABLE = _table()


def masked_crc32c(data: bytes) -> int:
    """Returns the CRC-32C of `data`, rotated and shifted as records have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def event_file(events: Iterable[tuple[float, int, Mapping[str, float]]]) -> bytes:
    """Returns an event file.

    Args:
        events: When (seconds since 1970), step, and the numbers by name.
    """
    version = _field(3, _BYTES, b"brain.Event:2")
    records = [_seconds(0.0) + version]
    for when, step, scalars in events:
        values = b"".join(_field(1, _BYTES, _value(name, number)) for name, number in scalars.items())
        records.append(_seconds(when) + _field(2, _VARINT, _varint(step)) + _field(5, _BYTES, values))
    return b"".join(_record(record) for record in records)


def _seconds(when: float) -> bytes:
    return _field(1, _FIXED_64, struct.pack("<d", when))


def _value(name: str, number: float) -> bytes:
    return _field(1, _BYTES, name.encode()) + _field(2, _FIXED_32, struct.pack("<f", _single(number)))


def _single(number: float) -> float:
    """A number beyond the single precision of the format becomes infinite."""
    return number if abs(number) < 3.4e38 or number != number else float("inf") * (1 if number > 0 else -1)  # noqa: PLR0124  (NaN)


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def _field(number: int, wire_type: int, data: bytes) -> bytes:
    return _varint(number << 3 | wire_type) + (_varint(len(data)) if wire_type == _BYTES else b"") + data


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
