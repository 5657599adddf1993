"""Describes a topic as the broker holds it: its id, its partitions and offsets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.errors import ServerError
from etl.settings import Settings

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
    from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
    from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

    address = settings.address("bootstrap_servers")
    where = f"topic {settings.topic} at {address}"
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
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
    except (KafkaException, TimeoutError) as error:
        reason = error.args[0].str() if error.args and hasattr(error.args[0], "str") else str(error)
        raise ServerError(
            f"could not read {where}: {reason}",
            "publish to it first, start the broker with ./warehouse up, or set WAREHOUSE_BOOTSTRAP_SERVERS",
        ) from error
    offsets = {number: (first, held["end"][number]) for number, first in held["first"].items()}
    return Topic(settings.topic, str(topic.topic_id), offsets)


def cluster_id(settings: Settings) -> str:
    """The id of the Kafka cluster. Raises ServerError when no broker answers."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    address = settings.address("bootstrap_servers")
    try:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        return str(admin.describe_cluster(request_timeout=SECONDS).result(SECONDS + 5).cluster_id)
    except (KafkaException, TimeoutError) as error:
        reason = error.args[0].str() if error.args and hasattr(error.args[0], "str") else str(error)
        raise ServerError(
            f"no Kafka broker answers at {address}: {reason}",
            "start it with ./warehouse up or set WAREHOUSE_BOOTSTRAP_SERVERS",
        ) from error
