"""Reads every byte under a folder, as it is and unpacked, and names the files that hold a text."""

from __future__ import annotations

import base64
import contextlib
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

PACKED = re.compile(rb"\x1f\x8b\x08|\x28\xb5\x2f\xfd|LZ4Block|\x82SNAPPY\x00|\x04\x22\x4d\x18")
BATCH, CODECS = struct.Struct(">qiibIh"), {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}  # of Kafka
BATCH_BYTES, RECORDS_AT = 12, 61
LEVELS = 3  # a packed text may be in a packed file in a packed one
MOST = 256 << 20


def holding(folder: Path, text: str) -> list[str]:
    """The files below a folder that hold a text, in any form that this module reads; sorted."""
    pattern = re.compile(b"|".join(map(re.escape, sorted(needles(text)))))
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(str(path.relative_to(folder)) for path in files if _holds(path, pattern))


def needles(text: str) -> set[bytes]:
    """A text as UTF-8 and UTF-16, and as base64 wherever it stands in what was encoded."""
    forms = {text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text.encode())
        forms.add(encoded[(0, 2, 3)[before] : len(encoded) - 4].rstrip(b"="))
    return forms


def _holds(path: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return any(pattern.search(part) for part in unpacked(content, is_kafka="/kafka/" in str(path)))


def unpacked(content: bytes, is_kafka: bool = False, level: int = 0) -> Iterator[bytes]:
    """Some bytes, and all that they hold in packed form."""
    yield content
    if level == LEVELS:
        return
    inner: Iterable[bytes] = _packed(content)
    if is_kafka and level == 0:
        inner = _kafka(content)
    elif content.startswith(b"PAR1"):
        inner = _parquet(content)
    for part in inner:
        yield from unpacked(part, level=level + 1)


def _parquet(content: bytes) -> Iterator[bytes]:
    with contextlib.suppress(pa.ArrowException):
        table = pq.read_table(pa.BufferReader(content))
        for column in table.columns:
            for chunk in column.chunks:
                yield b"".join(bytes(buffer) for buffer in chunk.buffers() if buffer)


def _kafka(content: bytes) -> Iterator[bytes]:
    """The records of the batches in a segment."""
    at = 0
    while at + RECORDS_AT <= len(content):
        _, length, _, magic, _, attributes = BATCH.unpack_from(content, at)
        if magic != 2 or length <= 0:
            return
        records = content[at + RECORDS_AT : at + BATCH_BYTES + length]
        if attributes & 7:
            yield from _packed(records)
            if CODECS[attributes & 7] == "snappy" and not records.startswith(b"\x82SNAPPY"):
                yield _raw("snappy", records, MOST // 4)
        at += BATCH_BYTES + length


def _packed(content: bytes) -> Iterator[bytes]:
    """What is packed anywhere in some bytes."""
    for match in PACKED.finditer(content):
        rest = content[match.start() :]
        if match[0] == b"\x1f\x8b\x08":
            with contextlib.suppress(zlib.error):
                yield zlib.decompressobj(31).decompress(rest, MOST)
        elif match[0] == b"\x28\xb5\x2f\xfd":
            with contextlib.suppress(zstandard.ZstdError):
                yield zstandard.ZstdDecompressor().decompressobj().decompress(rest)
        elif match[0] == b"LZ4Block":
            token, packed, length = struct.unpack_from("<BII", rest, 8)
            block = rest[21 : 21 + packed]
            yield block if token & 0xF0 == 0x10 else _raw("lz4_raw", block, length)
        elif match[0] == b"\x04\x22\x4d\x18":
            yield _raw("lz4", rest, MOST // 4)
        else:
            yield b"".join(_xerial(rest))


def _xerial(content: bytes) -> Iterator[bytes]:
    """The blocks of Java's snappy stream."""
    at = 16
    while at + 4 <= len(content):
        (length,) = struct.unpack_from(">i", content, at)
        if not 0 < length <= len(content) - at - 4:
            return
        yield _raw("snappy", content[at + 4 : at + 4 + length], 1 << 20)
        at += 4 + length


def _raw(codec: str, content: bytes, length: int) -> bytes:
    """What a codec makes of some bytes; nothing where they are no such thing."""
    with contextlib.suppress(pa.ArrowException, OSError, ValueError):
        if codec == "lz4":
            with pa.CompressedInputStream(pa.BufferReader(content), codec) as stream:
                return bytes(stream.read(length))
        return bytes(pa.Codec(codec).decompress(content, length))
    return b""
