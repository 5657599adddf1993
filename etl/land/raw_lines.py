"""The lines of the raw tables: a Kafka message, where it stood in Kafka and what was found of it, as one JSON object.

No string of a line is longer than Jackson, which reads it for Hive and Spark, allows: 20,000,000 characters. A field
that a message does not need is left out of its line.

This module is pickled by value into Spark's Python workers: the standard library and msgspec, nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from etl.land.check_message import Accepted

PIECE_BYTES = 15_000_000  # as base64, 20,000,000 characters; a multiple of 3, so that pieces can be joined


class Envelope(NamedTuple):
    """What is known of a message beside its value: the landing that brings it, and what Kafka holds of it.

    The timestamp is in milliseconds.
    """

    landing: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


def line_accepted(envelope: Envelope, accepted: Accepted) -> str:
    """Return a line of the raw table: the envelope, the message itself, and `original` where it differs."""
    original = "null" if accepted.original is None else _json(accepted.original)
    unknown = [{"path": path, "example": example} for path, example in accepted.unknown]
    recorded = f',"unknown_fields":{_json(unknown)}' if unknown else ""
    return f'{_head(envelope)}{recorded},"payload":{accepted.payload_text},"original":{original}}}'


def message_of(line: str) -> bytes:
    """Return the exact bytes of the message in a line that `line_accepted` made.

    They are `original` where there is one; else what stands between the first `,"payload":` (before it a quote
    within a text is escaped) and the last `,"original":` (behind it is only null).
    """
    payload, _, original = line.partition(',"payload":')[2].rpartition(',"original":')
    return payload.encode() if original == "null}" else str(json.loads(original[:-1])).encode()


def line_rejected(envelope: Envelope, reason: str, value: bytes | None) -> str:
    """Return a line of the table of rejected messages: the envelope, the reason and the exact bytes, in pieces."""
    pieces = [] if value is None else [value[at : at + PIECE_BYTES] for at in range(0, len(value) or 1, PIECE_BYTES)]
    more = f',"more_base64":{_json([_base64(piece) for piece in pieces[1:]])}' if pieces[1:] else ""
    first = _json(_base64(pieces[0] if pieces else None))
    return f'{_head(envelope)},"reason":{_json(reason)},"message_base64":{first}{more}}}'


def rejected_message_of(row: Mapping[str, Any]) -> bytes | None:
    """Return the exact bytes of the message in a row that `line_rejected` made; None for a tombstone."""
    first = row["message_base64"]
    return None if first is None else base64.b64decode(first + "".join(row.get("more_base64") or ()))


def _head(envelope: Envelope) -> str:
    """What both kinds of lines begin with; of a key or a header beyond 15,000,000 bytes only those are kept."""
    landing, topic, partition, offset, timestamp, key, headers = envelope
    kept = "" if key is None else f',"key_base64":"{_base64(key[:PIECE_BYTES])}"'
    if headers:
        pairs = [{"name": name, "value_base64": _base64(value and value[:PIECE_BYTES])} for name, value in headers]
        kept += f',"headers":{_json(pairs)}'
    return (
        f'{{"landing":{landing},"kafka_topic":{_json(topic)},"kafka_partition":{partition}'
        f',"kafka_offset":{offset},"kafka_timestamp":{timestamp}{kept}'
    )


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
