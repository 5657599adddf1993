"""A file's records, published to a real Kafka."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from etl.errors import ServerError, WarehouseError
from etl.publish.publish import publish
from etl.settings import Settings


@pytest.fixture
def topic() -> str:
    return f"publish-{uuid.uuid4()}"


def messages(settings: Settings, topic: str) -> list[tuple[bytes | None, bytes | None, int]]:
    """All of a topic as (key, value, partition), in order within a partition."""
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": "none", "enable.auto.commit": False}
    )
    records: list[tuple[bytes | None, bytes | None, int]] = []
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number)) for number in partitions}
        consumer.assign([TopicPartition(topic, number, low) for number, (low, _) in ends.items()])
        until = time.monotonic() + 20
        while len(records) < sum(high - low for low, high in ends.values()) and time.monotonic() < until:
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                records.append((message.key(), message.value(), message.partition() or 0))
        return records
    finally:
        consumer.close()


def test_every_record_arrives_once_with_its_bytes_and_its_key(settings: Settings, topic: str, tmp_path: Path) -> None:
    keyed = settings.model_copy(update={"key_field": "k"})
    sent = [
        b'{"k": "\xc3\xa9", "n":1}',
        b'{"n":2}',
        b'{"k":3}',
        b"no json",
        b'{"x":{"k":"deep"},"k":"a"}',
        b'{"k":null}',
    ]
    file = tmp_path / "lines.gz"
    file.write_bytes(gzip.compress(b"\n".join(sent)))
    done = publish(keyed, str(file), topic)
    assert (done.acknowledged, done.unkeyed, done.is_genuine) == (6, 4, False)
    assert done.bytes == sum(map(len, sent))
    assert messages(settings, topic) == [
        (key, value, 0) for key, value in zip(["é".encode(), None, None, None, b"a", None], sent, strict=True)
    ]


def test_stdin_is_published_in_order(settings: Settings, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [b'{"n": %d}' % number for number in range(5000)]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[" + b",\n".join(sent) + b"]")))
    assert publish(settings, "-", topic).acknowledged == 5000
    assert [value for _, value, _ in messages(settings, topic)] == sent


def test_force_publishes_the_lines_of_anything(settings: Settings, topic: str, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"<html>\n</html>\n")
    assert publish(settings, str(tmp_path / "page"), topic, is_forced=True).acknowledged == 2
    assert [value for _, value, _ in messages(settings, topic)] == [b"<html>", b"</html>"]


def test_equal_keys_share_a_partition(settings: Settings, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "lines.json"
    file.write_bytes(b"\n".join(b'{"k":"%d","n":%d}' % (number % 20, number) for number in range(400)))
    publish(settings.model_copy(update={"key_field": "k"}), str(file), topic, partitions=3)
    records = messages(settings, topic)
    assert len({partition for _, _, partition in records}) == 3
    assert len({(key, partition) for key, _, partition in records}) == 20


def test_a_message_of_10_mb_arrives(settings: Settings, topic: str, tmp_path: Path) -> None:
    file = tmp_path / "big.json"
    big = b'{"a":"' + b"x" * (10 << 20) + b'"}'
    file.write_bytes(b"[" + big + b"]")
    assert publish(settings, str(file), topic).acknowledged == 1
    assert [value for _, value, _ in messages(settings, topic)] == [big]


def test_a_message_that_is_too_long_is_told_and_those_before_it_are_published(
    settings: Settings, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "big.json"
    file.write_bytes(b'{"n":1}\n{"n":2}\n{"a":"' + b"x" * (12 << 20) + b'"}\n{"n":4}')
    with pytest.raises(
        ServerError, match=r"a record of 12,582,920 bytes did not .*; 2 records were acknowledged before"
    ):
        publish(settings, str(file), topic)
    assert [value for _, value, _ in messages(settings, topic)] == [b'{"n":1}', b'{"n":2}']


def test_a_topic_that_takes_less_refuses_the_record(settings: Settings, topic: str, tmp_path: Path) -> None:
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, config={"max.message.bytes": "1000"})])[topic].result(20)
    file = tmp_path / "one.json"
    file.write_bytes(json.dumps({"a": [str(uuid.uuid4()) for _ in range(100)]}).encode())
    with pytest.raises(ServerError, match=f"into topic {topic} at .*raise the topic's max.message.bytes"):
        publish(settings, str(file), topic)


def test_a_malformed_array_leaves_the_records_before_it_published(
    settings: Settings, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "cut.json"
    file.write_bytes(b'[{"n":1},{"n":2},{"n":')
    with pytest.raises(WarehouseError, match=r"record 3 of .*, at byte 17, .*; the 2 records before it are published"):
        publish(settings, str(file), topic)
    assert [value for _, value, _ in messages(settings, topic)] == [b'{"n":1}', b'{"n":2}']


@pytest.mark.parametrize(("content", "words"), [(b"", "holds no record"), (b"<html>", "looks like a web page")])
def test_an_input_without_messages_creates_no_topic(
    settings: Settings, topic: str, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(WarehouseError, match=words):
        publish(settings, str(tmp_path / "file"), topic)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    assert topic not in admin.list_topics(timeout=10).topics


@pytest.mark.parametrize("is_zipped", [False, True])
def test_the_published_file_is_known_by_its_bytes(
    settings: Settings, topic: str, tmp_path: Path, is_zipped: bool
) -> None:
    content = b'[{"n":1},\n {"n":2}]\n'
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    genuine = settings.model_copy(update={"genuine_bytes": len(content), "genuine_blob": blob})
    file = tmp_path / "file"
    for text, expected in ((content, True), (content + b"\n", False), (content.replace(b"1", b"3"), False)):
        file.write_bytes(gzip.compress(text) if is_zipped else text)
        assert publish(genuine, str(file), topic).is_genuine is expected
