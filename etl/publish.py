"""The records of a file or of stdin move into a Kafka topic: one message each, byte for byte, each acknowledged.

A file is a JSON array or JSON lines, plain or gzipped; its first bytes tell. A line is published as it is,
even where it is no JSON (the loader rejects it where it can be seen); an element of an array is cut out of
the text. No file is held in memory as a whole.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from etl.errors import ServerError, UsageError, WarehouseError
from etl.settings import Settings

CHUNK = 1 << 20
RECORD_BYTES = 64 << 20
MESSAGE_BYTES = 11 << 20  # 10 MB and what Kafka puts around it
ANSWER, DELIVERY = 10, 20  # seconds until Kafka is given up, before and after it answered once

_BLANK = b" \t\n\r"
_SPACE = re.compile(r"[ \t\n\r]*")
# Only where an element ends matters: nothing is built, and what strict JSON forbids is left to the loader.
_ELEMENT = json.JSONDecoder(object_pairs_hook=len, parse_int=len, parse_float=len, strict=False)


@dataclass(frozen=True)
class Published:
    """What was published; `is_genuine` says that the content is the published data set's."""

    acknowledged: int
    bytes: int
    seconds: float
    unkeyed: int
    is_genuine: bool


class Content:
    """What a file says, unzipped where it is gzipped, read once from start to end; counts and hashes it."""

    def __init__(self, stream: BinaryIO, name: str, blob_bytes: int = 0) -> None:
        buffered = stream if hasattr(stream, "peek") else io.BufferedReader(cast(io.RawIOBase, stream))
        is_zipped = buffered.peek(2)[:2] == b"\x1f\x8b"
        self._file = cast(io.BufferedReader, gzip.GzipFile(fileobj=buffered) if is_zipped else buffered)
        self.name, self.length, self._blob_bytes = name, 0, blob_bytes
        self._blob = hashlib.sha1(b"blob %d\0" % blob_bytes, usedforsecurity=False)

    def line(self, limit: int) -> bytes:
        """Return the next line with its end, or the part of it that the limit allows; nothing at the end."""
        return self._read(self._file.readline, limit)

    def chunk(self) -> bytes:
        """Return what can be had at once, at least a byte; nothing at the end."""
        return self._read(self._file.read1, CHUNK)

    def is_blob(self, blob: str) -> bool:
        """Whether all that was read is the content of this git blob."""
        return self.length == self._blob_bytes and self._blob.hexdigest() == blob

    def refuse(self, record: int, at: int, why: str) -> NoReturn:
        """Raise WarehouseError naming the record and where it starts."""
        raise WarehouseError(f"record {record:,} of {self.name}, at byte {at:,}, {why}", "mend the file")

    def _read(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            found = read(size)
        except (EOFError, OSError, zlib.error) as error:
            where = f"{self.name} is damaged or cut off behind byte {self.length:,} of its content"
            raise WarehouseError(f"{where}: {error}", "get the file again") from error
        self.length += len(found)
        if self.length <= self._blob_bytes:
            self._blob.update(found)
        return found


def records(stream: BinaryIO, name: str = "the input") -> Iterator[bytes]:
    """Yield the records of a JSON array or of JSON lines, gzipped or not, each with its exact bytes.

    Raises WarehouseError behind the last good record: empty or damaged input, an array that is no JSON, a
    record beyond 64 MB.
    """
    return _records(Content(stream, name))


def _records(content: Content) -> Iterator[bytes]:
    line = content.line(CHUNK)
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise WarehouseError(f"{content.name} is UTF-16", "convert it to UTF-8")
    line = line.removeprefix(b"\xef\xbb\xbf")  # it marks the file and is part of no record
    while not line.strip(_BLANK):
        line = content.line(CHUNK)
        if not line:
            raise WarehouseError(f"{content.name} holds no record", "publish a JSON array or JSON lines")
    is_array = line.lstrip(_BLANK).startswith(b"[")
    yield from _elements(content, line.lstrip(_BLANK)) if is_array else _lines(content, line)


def _lines(content: Content, line: bytes) -> Iterator[bytes]:
    """Yield the lines that are not blank, without their ends."""
    count = 0
    while line:
        if not line.endswith(b"\n"):  # a long line, or the last
            line += content.line(RECORD_BYTES + 1 - len(line))
        record = line.removesuffix(b"\n").removesuffix(b"\r")
        if record.strip(_BLANK):
            count += 1
            if len(line) > RECORD_BYTES:
                content.refuse(count, content.length - len(line), f"is longer than {RECORD_BYTES:,} bytes")
            yield record
        line = content.line(CHUNK)


def _elements(content: Content, head: bytes) -> Iterator[bytes]:
    """Yield the elements of an array. Latin-1 makes one character of each byte, whatever the bytes mean."""
    text, at, count = head.decode("latin-1"), 1, 0
    while True:
        try:
            start, end, behind = _element(text, at, count == 0)
        except (ValueError, RecursionError) as error:
            text, at = _longer(content, text[at:], count + 1, error), 0
            continue
        if end > start:
            count += 1
            yield text[start:end].encode("latin-1")
        at = behind + 1
        if text[behind] == "]":
            break
    rest = text[at:].encode("latin-1")
    while not rest.strip(_BLANK):
        rest = content.chunk()
        if not rest:
            return
    where = f"byte {content.length - len(rest.lstrip(_BLANK)):,} of {content.name}"
    raise WarehouseError(f"the array ends before {where}, but the file goes on", "mend the file")


def _element(text: str, at: int, is_first: bool) -> tuple[int, int, int]:
    """Return where the next element starts and ends, and where the comma or bracket behind it is.

    Raises ValueError (what is wrong) where the text is not whole or no JSON.
    """
    start = _behind_space(text, at)
    if is_first and text.startswith("]", start):
        return start, start, start
    end = _ELEMENT.raw_decode(text, start)[1]
    behind = _behind_space(text, end)
    if not text.startswith((",", "]"), behind):
        raise json.JSONDecodeError("Expecting ',' or ']'", text, behind)
    return start, end, behind


def _behind_space(text: str, at: int) -> int:
    return cast(re.Match[str], _SPACE.match(text, at)).end()


def _longer(content: Content, rest: str, record: int, error: Exception) -> str:
    """Return a record's text with as much again behind it: however long it is, it is read about twice."""
    at = content.length - len(rest) + _behind_space(rest, 0)
    if isinstance(error, RecursionError):
        content.refuse(record, at, "is nested too deep to be cut out of its array; JSON lines can hold it")
    what = str(getattr(error, "msg", error))
    if len(rest) > RECORD_BYTES:
        content.refuse(record, at, f"is no JSON or longer than {RECORD_BYTES:,} bytes: {what}")
    parts, wanted = [rest], max(len(rest), 1)
    while wanted > 0 and (chunk := content.chunk()):
        parts.append(chunk.decode("latin-1"))
        wanted -= len(chunk)
    if len(parts) == 1:
        content.refuse(record, at, f"is no JSON or not whole: {what}")
    return "".join(parts)


def publish(settings: Settings, source: str, topic: str | None = None, partitions: int = 1) -> Published:
    """Publish a file, or stdin where `source` is "-", and wait until Kafka has acknowledged every record.

    A missing topic is made, with so many partitions. Raises UsageError for a file that cannot be read, ServerError
    for Kafka, and WarehouseError for content that is not cut into records, when those before it are published.
    """
    started = time.monotonic()
    with _opened(source) as stream, _progress(source, stream) as show:
        content = Content(stream, "the input" if source == "-" else source, settings.genuine_bytes)
        found = _records(content)
        first = list(itertools.islice(found, 1))  # before the topic is made
        sender = _Sender(settings, topic or settings.topic, partitions)
        try:
            for record in itertools.chain(first, found):
                sender.send(record)
                show(sender.sent, content.length)
        except WarehouseError as error:
            if isinstance(error, ServerError):
                raise
            sender.finish()
            note = f"the {sender.acknowledged:,} records before it are published"
            raise WarehouseError(f"{error.args[0]}; {note}", error.step) from error
        sender.finish()
    is_genuine = content.is_blob(settings.genuine_blob)
    return Published(sender.acknowledged, sender.bytes, time.monotonic() - started, sender.unkeyed, is_genuine)


def _opened(source: str) -> AbstractContextManager[BinaryIO]:
    if source == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror}", "name a file, or - for stdin") from error


@contextmanager
def _progress(source: str, stream: BinaryIO) -> Iterator[Callable[[int, int], None]]:
    """Yield what shows how far it is: (records, bytes of content); on a terminal only."""
    console = Console(stderr=True)
    total = Path(source).stat().st_size if source != "-" and stream.seekable() else None
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, started = bar.add_task("", total=total), time.monotonic()

        def show(count: int, length: int) -> None:
            if count % 1000 == 0:
                rate = count / (time.monotonic() - started)
                text = f"{count:,} records, {rate:,.0f} a second"
                bar.update(task, completed=stream.tell() if total else length, description=text)

        yield show


class _Sender:
    """An idempotent producer that counts what Kafka acknowledges and stops at the first refusal."""

    def __init__(self, settings: Settings, topic: str, partitions: int) -> None:
        self._topic, self._where = topic, f"topic {topic} at {settings.bootstrap_servers}"
        self._key = _key_of(settings.key_field)
        self._refused: tuple[KafkaError, int] | None = None
        self.sent = self.acknowledged = self.bytes = self.unkeyed = 0
        # No log: what goes wrong is raised, once.
        basic: dict[str, Any] = {"bootstrap.servers": settings.bootstrap_servers, "log_level": 0}
        self._make_topic(AdminClient(basic), partitions)
        safe = {"enable.idempotence": True, "acks": "all", "message.timeout.ms": DELIVERY * 1000}
        quick = {"compression.type": "zstd", "linger.ms": 50, "queue.buffering.max.kbytes": 64 << 10}
        self._producer = Producer({**basic, **safe, **quick, "message.max.bytes": MESSAGE_BYTES})

    def send(self, record: bytes) -> None:
        """Hand a record to the producer; waits while its queue is full."""
        key = self._key(record)
        self.unkeyed += key is None
        self.sent += 1
        while True:
            try:
                self._producer.produce(self._topic, record, key, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
                self._check()
            except KafkaException as error:  # such as one that is too long to be sent at all
                self.finish()
                self._refused = error.args[0], len(record)
                break
        self._producer.poll(0)
        self._check()

    def finish(self) -> None:
        """Wait until every record is acknowledged; raise ServerError as soon as one is refused."""
        while self._producer.flush(1.0):
            self._check()
        self._check()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
            self.bytes += len(message)
        elif self._refused is None:
            self._refused = error, len(message)

    def _check(self) -> None:
        if self._refused is None:
            return
        error, length = self._refused
        self._producer.purge()
        is_long = error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
        raise ServerError(
            f"a record of {length:,} bytes did not get into {self._where}: {error.str()}; "
            f"{self.acknowledged:,} records were acknowledged before",
            "raise the topic's max.message.bytes, up to 11 MB"
            if is_long
            else "see ./warehouse status, and publish again",
        )

    def _make_topic(self, admin: AdminClient, partitions: int) -> None:
        new = NewTopic(self._topic, partitions, config={"max.message.bytes": str(MESSAGE_BYTES)})
        try:
            if self._topic not in admin.list_topics(timeout=ANSWER).topics:
                admin.create_topics([new], request_timeout=ANSWER)[self._topic].result(ANSWER)
        except (KafkaException, TimeoutError) as error:
            reason = error.args[0] if error.args else error
            if isinstance(reason, KafkaError) and reason.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return  # made by another publish in between
            text = reason.str() if isinstance(reason, KafkaError) else str(reason)
            step = "start the broker with ./warehouse up, or set WAREHOUSE_BOOTSTRAP_SERVERS"
            raise ServerError(f"could not publish to {self._where}: {text}", step) from error


def _key_of(field: str) -> Callable[[bytes], str | None]:
    """Return what finds a record's key: the member of this name, where the record is JSON and that a string."""
    keyed = msgspec.defstruct("Keyed", [("key", str | None, None)], rename={"key": field})
    decode = msgspec.json.Decoder(keyed).decode

    def key(record: bytes) -> str | None:
        try:
            return cast(Any, decode(record)).key  # type: ignore[no-any-return]
        except (ValueError, RecursionError):
            return None

    return key
