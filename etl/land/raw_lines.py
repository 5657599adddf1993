"""Writes the lines of the raw tables: a Kafka message, its place in Kafka and the verdict on it, as one JSON object.

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

ACCEPTED, REJECTED = "assessments", "rejected_messages"  # the raw tables, without their database
ERASED = "erased"  # in place of a table, for a message that is not written
CANARIES = "canaries"  # the raw table of messages that only prove the way through the warehouse
CANARY = b'{"warehouse_canary":'  # how such a message begins; no contract accepts it
PIECE_BYTES = 15_000_000  # as base64, 20,000,000 characters; a multiple of 3, so that pieces can be joined
# Each stands before a value; worker.py joins whole columns by the same texts.
LANDING, TOPIC, PARTITION, OFFSET, TIMESTAMP = (
    '{"landing":',
    ',"kafka_topic":',
    ',"kafka_partition":',
    ',"kafka_offset":',
    ',"kafka_timestamp":',
)
PAYLOAD, ORIGINAL, NO_ORIGINAL = ',"payload":', ',"original":', "null}"

Headers = Sequence[tuple[str, bytes | None]]


class Envelope(NamedTuple):
    """A message without its value: the landing that brings it, and what Kafka holds beside the value.

    The timestamp is in milliseconds.
    """

    landing: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None = None
    headers: Headers = ()


def line_accepted(envelope: Envelope, accepted: Accepted) -> str:
    """Return a line of the raw table: the envelope, the message itself, and `original` where it differs."""
    original = NO_ORIGINAL if accepted.original is None else to_json(accepted.original) + "}"
    unknown = [{"path": path, "example": example} for path, example in accepted.unknown]
    recorded = f',"unknown_fields":{to_json(unknown)}' if unknown else ""
    return f"{_head(envelope)}{recorded}{PAYLOAD}{accepted.payload_text}{ORIGINAL}{original}"


def message_of(line: str) -> bytes:
    """Return the exact bytes of the message in a line that `line_accepted` wrote.

    They are `original` where there is one; else the text between the first `,"payload":` (before it a quote
    within a text is escaped) and the last `,"original":` (only null follows it).
    """
    payload, _, original = line.partition(PAYLOAD)[2].rpartition(ORIGINAL)
    return payload.encode() if original == NO_ORIGINAL else str(json.loads(original[:-1])).encode()


def line_rejected(envelope: Envelope, reason: str, value: bytes | None) -> str:
    """Return a line of the table of rejected messages: the envelope, the reason and the exact bytes, in pieces."""
    pieces = [] if value is None else [value[at : at + PIECE_BYTES] for at in range(0, len(value) or 1, PIECE_BYTES)]
    more = f',"more_base64":{to_json([_base64(piece) for piece in pieces[1:]])}' if pieces[1:] else ""
    first = to_json(_base64(pieces[0] if pieces else None))
    return f'{_head(envelope)},"reason":{to_json(reason)},"message_base64":{first}{more}}}'


def rejected_message_of(row: Mapping[str, Any]) -> bytes | None:
    """Return the exact bytes of the message in a row that `line_rejected` wrote; None for a tombstone."""
    first = row["message_base64"]
    return None if first is None else base64.b64decode(first + "".join(row.get("more_base64") or ()))


def sent_with(key: bytes | None, headers: Headers) -> str:
    """Return the key and the headers as members of a line; of one beyond 15,000,000 bytes only those are kept."""
    members = "" if key is None else f',"key_base64":"{_base64(key[:PIECE_BYTES])}"'
    if headers:
        pairs = [{"name": name, "value_base64": _base64(value and value[:PIECE_BYTES])} for name, value in headers]
        members += f',"headers":{to_json(pairs)}'
    return members


def to_json(value: Any) -> str:
    """Return a value as JSON without white space."""
    return msgspec.json.encode(value).decode()


def _head(envelope: Envelope) -> str:
    """Return what lines of both tables begin with."""
    landing, topic, partition, offset, timestamp, key, headers = envelope
    place = f"{LANDING}{landing}{TOPIC}{to_json(topic)}{PARTITION}{partition}{OFFSET}{offset}{TIMESTAMP}{timestamp}"
    return place + sent_with(key, headers)


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
