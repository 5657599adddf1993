"""Publishes the records of a file or of stdin to a Kafka topic: one message each, each acknowledged."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from etl.errors import ServerError, UsageError, WarehouseError
from etl.land.raw_lines import CANARY
from etl.publish.records import Content, records_of
from etl.servers import kafka
from etl.settings import Settings
from etl.store import identity, ledger
from etl.terminal import Bar, progress

MESSAGE_BYTES = 11 << 20  # 10 MB and what Kafka puts around it
ANSWER, DELIVERY = 10, 20  # seconds until Kafka is given up, before and after it answered once


@dataclass(frozen=True)
class Published:
    """The counts of a publication; `is_genuine` says that the content is that of the published data set."""

    acknowledged: int
    bytes: int
    seconds: float
    unkeyed: int
    is_genuine: bool


def publish(
    settings: Settings, source: str, topic: str | None = None, partitions: int = 1, is_forced: bool = False
) -> Published:
    """Publish a file, or stdin where `source` is "-", and wait until Kafka has acknowledged every record.

    A missing topic is created with this number of partitions. Raises UsageError for a file that cannot be read,
    ServerError for Kafka, and WarehouseError for content that cannot be cut into records: nothing is published where it
    does not begin with a message, unless `is_forced` (then its lines are), else the records before the fault.
    """
    started = time.monotonic()
    with _open(source) as stream, progress("publish") as bar:
        content = Content(stream, "the input" if source == "-" else source, settings.genuine_bytes)
        rest = records_of(content, is_forced)
        show = _progress(bar, source, stream)
        first = list(itertools.islice(rest, 1))  # before the topic is created
        identity.confirm_kafka(settings)
        sender = _Sender(settings, topic or settings.topic, partitions)
        try:
            for record in itertools.chain(first, rest):
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


def publish_canary(settings: Settings) -> None:
    """Publish a message that proves the way to the views and that no figure counts. Raises ServerError for Kafka."""
    kafka.describe(settings)  # a topic is created by messages alone
    identity.confirm_kafka(settings)
    sender = _Sender(settings, settings.topic, 1)
    sender.send(CANARY + msgspec.json.encode(ledger.now()) + b"}")
    sender.finish()


def _open(source: str) -> AbstractContextManager[BinaryIO]:
    if source == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror}", "name a file, or - for stdin") from error


def _progress(bar: Bar, source: str, stream: BinaryIO) -> Callable[[int, int], None]:
    """Return the function that reports (records, bytes of content) to the bar."""
    total = Path(source).stat().st_size if source != "-" and stream.seekable() else None
    started = time.monotonic()

    def show(count: int, length: int) -> None:
        if count % 1000 == 0:
            rate = count / (time.monotonic() - started)
            text = f"{count:,} records, {length / 1e6:,.1f} MB, {rate:,.0f} records a second"
            bar.at(stream.tell() if total else length, total, text)

    return show


class _Sender:
    """An idempotent producer that counts what Kafka acknowledges and stops at the first refusal."""

    def __init__(self, settings: Settings, topic: str, partitions: int) -> None:
        address = settings.address("bootstrap_servers")
        self._topic, self._destination = topic, f"topic {topic} at {address}"
        self._key = _key_of(settings.key_field)
        self._refusal: tuple[KafkaError, int] | None = None
        self.sent = self.acknowledged = self.bytes = self.unkeyed = 0
        # No log: an error is raised, once.
        connection: dict[str, Any] = {"bootstrap.servers": address, "log_level": 0}
        self._create_topic(AdminClient(connection), partitions)
        delivery = {"enable.idempotence": True, "acks": "all", "message.timeout.ms": DELIVERY * 1000}
        throughput = {"compression.type": "zstd", "linger.ms": 50, "queue.buffering.max.kbytes": 64 << 10}
        self._producer = Producer({**connection, **delivery, **throughput, "message.max.bytes": MESSAGE_BYTES})

    def send(self, record: bytes) -> None:
        """Hand a record to the producer; waits while its queue is full."""
        key = self._key(record)
        self.unkeyed += key is None
        self.sent += 1
        while True:
            try:
                self._producer.produce(self._topic, record, key, on_delivery=self._on_delivery)
                break
            except BufferError:
                self._producer.poll(0.1)
                self._raise_refusal()
            except KafkaException as error:  # such as one that is too long to be sent at all
                self.finish()
                self._refusal = error.args[0], len(record)
                break
        self._producer.poll(0)
        self._raise_refusal()

    def finish(self) -> None:
        """Wait until every record is acknowledged; raise ServerError as soon as one is refused."""
        while self._producer.flush(1.0):
            self._raise_refusal()
        self._raise_refusal()

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
            self.bytes += len(message)
        elif self._refusal is None:
            self._refusal = error, len(message)

    def _raise_refusal(self) -> None:
        if self._refusal is None:
            return
        error, length = self._refusal
        self._producer.purge()
        is_long = error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
        fault = "did not get into" if is_long else "was not acknowledged by"  # but may be there: the answer can be lost
        raise ServerError(
            f"a record of {length:,} bytes {fault} {self._destination}: {error.str()}; "
            f"{self.acknowledged:,} records were acknowledged before",
            "raise the topic's max.message.bytes, up to 11 MB"
            if is_long
            else "see ./warehouse status, and publish again: of an attempt that comes twice the newest message counts",
        )

    def _create_topic(self, admin: AdminClient, partitions: int) -> None:
        new = NewTopic(self._topic, partitions, config={"max.message.bytes": str(MESSAGE_BYTES)})
        try:
            if self._topic not in admin.list_topics(timeout=ANSWER).topics:
                admin.create_topics([new], request_timeout=ANSWER)[self._topic].result(ANSWER)
        except (KafkaException, TimeoutError) as error:
            reason = error.args[0] if error.args else error
            if isinstance(reason, KafkaError) and reason.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return  # created by another publish in between
            text = reason.str() if isinstance(reason, KafkaError) else str(reason)
            step = "start the broker with ./warehouse up, or set WAREHOUSE_BOOTSTRAP_SERVERS"
            raise ServerError(f"could not publish to {self._destination}: {text}", step) from error


def _key_of(field: str) -> Callable[[bytes], str | None]:
    """Return the function that reads the key of a record: its member of this name, where that is a string."""
    keyed = msgspec.defstruct("Keyed", [("key", str | None, None)], rename={"key": field})
    decode = msgspec.json.Decoder(keyed).decode

    def key(record: bytes) -> str | None:
        try:
            return cast(Any, decode(record)).key  # type: ignore[no-any-return]
        except (ValueError, RecursionError):
            return None

    return key
