"""Compressed frames: checksum (CityHash128 of the rest), method, both sizes, data."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import cramjam
import lz4.block
from clickhouse_cityhash.cityhash import CityHash128

from engines.clickhouse.exceptions import ProtocolError
from engines.clickhouse.wire import ByteReader

LZ4: Final = 0x82
ZSTD: Final = 0x90
NONE: Final = 0x02
_HEAD = struct.Struct("<BII")
_FRAME_BYTES: Final = 1 << 20
_MAX_FRAME_BYTES: Final = 1 << 28


def _checksum(frame: bytes) -> bytes:
    digest = CityHash128(frame)
    return struct.pack("<QQ", digest >> 64, digest & 0xFFFF_FFFF_FFFF_FFFF)


def compress(data: bytes) -> bytes:
    """`data` as LZ4 frames of at most 1 MiB each."""
    frames: list[bytes] = []
    view = memoryview(data)
    for start in range(0, len(data), _FRAME_BYTES):
        piece = view[start : start + _FRAME_BYTES]
        packed = lz4.block.compress(piece, store_size=False)
        frame = _HEAD.pack(LZ4, len(packed) + _HEAD.size, len(piece)) + packed
        frames += (_checksum(frame), frame)
    return b"".join(frames)


def unpack(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The data of the frames that come in pieces, frame by frame."""
    reader = ByteReader(lambda _: next(filter(None, pieces), b""), limit_bytes=_MAX_FRAME_BYTES + 64)
    while True:
        if not reader.buffered():
            piece = next(filter(None, pieces), b"")
            if not piece:
                return
            reader = ByteReader(lambda _: next(filter(None, pieces), b""), piece, limit_bytes=_MAX_FRAME_BYTES + 64)
        yield read_frame(reader)
        reader.compact()


def read_frame(reader: ByteReader) -> bytes:
    """The data of the next frame. A wrong checksum or size ends the connection (40, 117), a foreign method too (89)."""
    expected = reader.read(16)
    head = reader.read(_HEAD.size)
    method, size, plain_size = _HEAD.unpack(head)
    if not _HEAD.size <= size <= _MAX_FRAME_BYTES or plain_size > _MAX_FRAME_BYTES:
        raise ProtocolError(131, f"A compressed frame of {size} bytes for {plain_size} is refused.")
    body = reader.read(size - _HEAD.size)
    if _checksum(head + body) != expected:
        raise ProtocolError(40, "Checksum doesn't match: corrupted data.")
    try:
        if method == LZ4:
            plain: bytes = lz4.block.decompress(body, uncompressed_size=plain_size)
        elif method == ZSTD:
            out = bytearray(plain_size)
            plain = bytes(out[: cramjam.zstd.decompress_into(body, out)])
        elif method == NONE:
            plain = body
        else:
            raise ProtocolError(89, f"Unknown compression method 0x{method:02x}: use lz4, zstd or none.")
    except (lz4.block.LZ4BlockError, cramjam.DecompressionError) as error:
        raise ProtocolError(117, f"A compressed frame cannot be read: {error}.") from error
    if len(plain) != plain_size:
        raise ProtocolError(117, f"A compressed frame gave {len(plain)} bytes where it promised {plain_size}.")
    return plain
