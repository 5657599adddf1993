"""Describes a topic as the broker holds it, and deletes what it holds of it."""

from __future__ import annotations

import contextlib
import datetime
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.errors import ServerError
from etl.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

SECONDS = 10.0


@dataclass(frozen=True)
class Topic:
    """A topic: `offsets` maps a partition to (first offset held, offset after the last committed message)."""

    name: str
    id: str
    offsets: Mapping[int, tuple[int, int]]

    @property
    def count(self) -> int:
        """Offsets held by the broker, over all partitions."""
        return sum(end - first for first, end in self.offsets.values())


def describe(settings: Settings) -> Topic:
    """Describe the topic of the settings.

    Raises ServerError when no broker answers or there is no such topic.
    """
    from confluent_kafka import IsolationLevel, TopicCollection, TopicPartition
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

    with _unreadable(settings):
        admin = _admin(settings)
        future = admin.describe_topics(TopicCollection([settings.topic]), request_timeout=SECONDS)[settings.topic]
        topic = future.result(SECONDS + 5)
        partitions = [TopicPartition(settings.topic, partition.id) for partition in topic.partitions]
        held = {}
        for end, spec in (("first", OffsetSpec.earliest()), ("end", OffsetSpec.latest())):
            answers = admin.list_offsets(
                {partition: spec for partition in partitions},
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=SECONDS,
            )
            held[end] = {
                partition.partition: answer.result(SECONDS + 5).offset for partition, answer in answers.items()
            }
    offsets = {number: (first, held["end"][number]) for number, first in held["first"].items()}
    return Topic(settings.topic, str(topic.topic_id), offsets)


def newest_at(settings: Settings, topic: Topic) -> datetime.datetime | None:
    """When the newest message that the broker holds was published, None where it holds none. Raises ServerError."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

    with _unreadable(settings):
        admin = _admin(settings)
        newest = {TopicPartition(topic.name, number): OffsetSpec.max_timestamp() for number in topic.offsets}
        answers = admin.list_offsets(newest, request_timeout=SECONDS).values()
        return _time(max(answer.result(SECONDS + 5).timestamp for answer in answers))


def oldest_at(settings: Settings, topic: Topic, starts: Mapping[int, int]) -> datetime.datetime | None:
    """When the oldest committed message was published of those from the offsets `starts` of each partition on.

    None where there is no such message. Raises ServerError.
    """
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    waiting = {number for number, start in starts.items() if start < topic.offsets[number][1]}
    times: list[int] = []
    with _unreadable(settings):
        consumer = Consumer(
            {
                "bootstrap.servers": settings.address("bootstrap_servers"),
                "group.id": "warehouse-status",  # required, although nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        with contextlib.closing(consumer):
            consumer.assign([TopicPartition(topic.name, number, starts[number]) for number in waiting])
            end = time.monotonic() + SECONDS
            while waiting:
                message = consumer.poll(max(0.0, end - time.monotonic()))
                if message is None:
                    raise TimeoutError(f"no message within {SECONDS:.0f} s")
                error = message.error()
                if error is None and message.partition() in waiting:
                    times.append(message.timestamp()[1])
                elif error is not None and error.code() != KafkaError._PARTITION_EOF:
                    continue  # librdkafka tries again until the deadline
                waiting.discard(message.partition())
    return _time(min(times, default=-1))


def _time(milliseconds: int) -> datetime.datetime | None:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC) if milliseconds >= 0 else None


def _admin(settings: Settings) -> AdminClient:
    """A client of the broker, which must outlive its answers.

    Raises OSError at once where no broker listens: the client itself would try again until its deadline.
    """
    from confluent_kafka.admin import AdminClient

    brokers = settings.address("bootstrap_servers")
    _connect(brokers)
    return AdminClient({"bootstrap.servers": brokers, "log_level": 0})


def _connect(brokers: str) -> None:
    failure: OSError | None = None
    for broker in brokers.split(","):
        host, _, port = broker.rpartition(":")
        try:
            socket.create_connection((host, int(port)), SECONDS).close()
        except OSError as error:
            failure = error
        else:
            return
    if failure:
        raise failure


def _unreadable(settings: Settings) -> contextlib.AbstractContextManager[None]:
    """Raise that the topic cannot be read as ServerError."""
    return _as_server_error(
        f"could not read topic {settings.topic} at {settings.address('bootstrap_servers')}",
        "publish to it first, start the broker with ./warehouse up, or set WAREHOUSE_BOOTSTRAP_SERVERS",
    )


@contextlib.contextmanager
def _as_server_error(failure: str, step: str) -> Iterator[None]:
    """Raise what goes wrong in the block as ServerError with the broker's reason."""
    from confluent_kafka import KafkaException

    try:
        yield
    except (KafkaException, OSError) as error:
        reason = error.args[0].str() if error.args and hasattr(error.args[0], "str") else str(error)
        raise ServerError(f"{failure}: {reason}", step) from error


def cluster_id(settings: Settings) -> str:
    """The id of the Kafka cluster. Raises ServerError when no broker answers."""
    address = settings.address("bootstrap_servers")
    step = "start it with ./warehouse up or set WAREHOUSE_BOOTSTRAP_SERVERS"
    with _as_server_error(f"no Kafka broker answers at {address}", step):
        admin = _admin(settings)
        return str(admin.describe_cluster(request_timeout=SECONDS).result(SECONDS + 5).cluster_id)


def delete_before(settings: Settings, ends: Mapping[int, int]) -> str:
    """Delete the messages of the topic before these offsets, by partition; when their bytes go, in words.

    Nobody can read them from now on. Raises ServerError where the broker refuses it.
    """
    from confluent_kafka import TopicPartition

    with _as_server_error(
        f"could not delete the landed messages of topic {settings.topic} at {settings.address('bootstrap_servers')}",
        "the topic must have cleanup.policy delete, and the user the right to delete; then run it again",
    ):
        admin = _admin(settings)
        places = [TopicPartition(settings.topic, partition, end) for partition, end in ends.items() if end]
        for answer in admin.delete_records(places, request_timeout=SECONDS).values() if places else ():
            answer.result(SECONDS + 5)
    config = _config(settings)
    hours, minutes = int(config["segment.ms"]) / 3_600_000, int(config["file.delete.delay.ms"]) / 60_000
    return (
        f"Kafka hides all messages of {settings.topic} that were landed; their bytes leave its disk when the segment "
        f"ends, at the first message after {hours:,.1f} hours (segment.ms) or {int(config['segment.bytes']):,} bytes "
        f"(segment.bytes), and at most {minutes:.0f} + 5 minutes later (file.delete.delay.ms, and its check)"
    )


def retention_days(settings: Settings) -> float | None:
    """How long the broker keeps messages of the topic, None if forever. Raises ServerError where it does not answer."""
    milliseconds = int(_config(settings)["retention.ms"])
    return None if milliseconds < 0 else milliseconds / 86_400_000


def _config(settings: Settings) -> dict[str, str]:
    """The settings of the topic. Raises ServerError where the broker does not answer."""
    from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]

    where = f"topic {settings.topic} at {settings.address('bootstrap_servers')}"
    with _as_server_error(f"could not read the settings of {where}", "run ./warehouse status"):
        admin = _admin(settings)
        (answer,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, settings.topic)]).values()
        return {name: str(entry.value) for name, entry in answer.result(SECONDS + 5).items()}
