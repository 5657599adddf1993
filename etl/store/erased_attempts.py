"""Which messages belong to erased attempts, by keyed hashes: what is kept of an attempt's id names nobody.

This module is pickled by value into Spark's Python workers: the standard library and msgspec, nothing else.
"""

from __future__ import annotations

import gzip
import hmac
import io
import json
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

WORD = re.compile(r"[A-Za-z0-9_-]+")
GZIP = b"\x1f\x8b"
MOST = 20_000_000  # bytes that are unpacked, the length of the longest message: a gzip may hold a thousand times more
Headers = Sequence[tuple[str, bytes | None]]


def digest(key: bytes, attempt: str) -> str:
    """The keyed hash of an attempt's id: HMAC-SHA256, its first 128 bits in hex."""
    return hmac.digest(key, attempt.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


class Erased:
    """The attempts whose messages are erased; `field` is the member of a message that holds the attempt's id."""

    def __init__(self, key: bytes, digests: Collection[str], field: str) -> None:
        self._arguments = key, frozenset(digests), field
        self._key, self._digests, _ = self._arguments
        attempt = msgspec.defstruct("Attempt", [("id", str | None, None)], rename={"id": field})
        self._decode = msgspec.json.Decoder(attempt).decode

    def __reduce__(self) -> tuple[Any, ...]:
        return erased, self._arguments

    def __contains__(self, attempt: str) -> bool:
        return digest(self._key, attempt) in self._digests

    def holds(self, value: bytes | None, key: bytes | None = None, headers: Headers = ()) -> bool:
        """Whether a message belongs to an erased attempt.

        Its own id decides. A message that has none, such as one that is no JSON, belongs to every attempt that it, its
        key or a header names.
        """
        attempt = self.attempt(value)
        if attempt is not None:
            return attempt in self
        parts = [value, key, *(content for _, content in headers), *(name.encode() for name, _ in headers)]
        return any(name in self for name in {name for part in parts if part for name in names(part)})

    def attempt(self, value: bytes | None) -> str | None:
        """The id of the message's own attempt, None where it is no object that has one."""
        try:
            return self._decode(value or b"").id  # type: ignore[attr-defined, no-any-return]
        except (ValueError, RecursionError):
            return None


def erased(key: bytes, digests: Collection[str], field: str) -> Erased:
    """As Erased, for pickle."""
    return Erased(key, digests, field)


def names(content: bytes) -> Iterator[str]:
    """All that could be an id in some bytes: the whole, each text of JSON, and each word, also of UTF-16 and gzip."""
    if content.startswith(GZIP):
        try:
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MOST)
        except (OSError, EOFError, zlib.error):
            return
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        text = content.decode(encoding, "replace")
        yield text
        yield from WORD.findall(text)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    for text in _texts(document):
        yield text
        yield from WORD.findall(text)


def _texts(document: Any) -> Iterator[str]:
    left = [document]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            left += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            left += item
