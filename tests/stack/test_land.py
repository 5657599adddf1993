"""Landing on a Kafka full of traps: transactions, lost offsets, binary keys, killed loaders, new contracts.

A stack of its own, because all tables of the other one are compared with all messages of its topic. The tests follow
one topic through its life and stand in that order.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import runner
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    NewPartitions,
    NewTopic,
)
from messages import attempt, holding, question, text
from test_land import add_version

from etl import settings as settings_module
from etl import sqlfile
from etl.errors import ServerError, UsageError
from etl.land import land, message_fields, rejected, replay, spark_job
from etl.land import raw_lines as lines
from etl.servers import kafka
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.servers.kafka import Topic
from etl.settings import PROJECT, Settings
from etl.store import landings
from stack import processes
from stack.layout import PORTS

HEADERS: list[tuple[str, bytes | None]] = [("trace", b"\xff\x00"), ("trace", b""), ("none", None), ('a "name" é', b"x")]
LIMIT = {"max.message.bytes": str(50 << 20)}
LONG = text(holding("10 MB", questions=[question(id="x" * 65_536)] * 155))
LONGER = b"\x00\xff" * 8_000_001 + b"."
DEEP = {"unknown": [[[[1]]]]}


# --- which offsets: no server is asked ---


def topic(**partitions: tuple[int, int]) -> Topic:
    return Topic("exams", "id one", {int(name[1:]): held for name, held in partitions.items()})


# --- versions of the contract: no server is asked ---


# --- a broker that is away ---


@pytest.mark.long
@pytest.mark.case("Broker down at the start", "landed", "an error naming host and port within 30 s")
def test_a_broker_that_is_away_is_named_within_30_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    away = settings_module.load(home=tmp_path, bootstrap_servers="127.0.0.1:1")
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:1"):
        kafka.describe(away)
    assert time.monotonic() - began < 30


# --- the life of a topic ---


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a stack that only these tests use, and whose topic has two partitions."""
    home = tmp_path_factory.mktemp("landing")
    free = settings_module.load(home=home, ports={name: 0 for name in PORTS})
    try:
        processes.up(free, print, until=os.getpid())
        settings = settings_module.load(home=home)
        administer(settings, "create_topics", [NewTopic(settings.topic, 2, config=LIMIT)])
        yield settings
    finally:
        processes.down(free)


def administer(own: Settings, verb: str, parameters: Any) -> None:
    """Have the broker do one thing."""
    client = AdminClient({"bootstrap.servers": own.bootstrap_servers})
    (done,) = getattr(client, verb)(parameters).values()
    done.result(20)


def producer(own: Settings, **options: Any) -> Producer:
    return Producer({"bootstrap.servers": own.bootstrap_servers, "message.max.bytes": 60 << 20, **options})


def publish(own: Settings, partition: int, *values: bytes | None, **options: Any) -> None:
    sender = producer(own)
    for value in values:
        sender.produce(own.topic, value, partition=partition, **options)
    assert sender.flush(30) == 0


def delete_before(own: Settings, partition: int, offset: int) -> None:
    """Do what retention does."""
    administer(own, "delete_records", [TopicPartition(own.topic, partition, offset)])


Message = tuple[int, int, bytes | None, list[tuple[str, bytes | None]], str | None]


def digest(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()


def seen(own: Settings) -> list[Message]:
    """(partition, offset, key, headers, sha256) of all that a consumer of committed messages sees."""
    consumer = Consumer(
        {
            "bootstrap.servers": own.bootstrap_servers,
            "group.id": "seen",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": 60 << 20,
            "receive.message.max.bytes": 70 << 20,
        }
    )
    messages: list[Message] = []
    with contextlib.closing(consumer):
        left = set(consumer.list_topics(own.topic, 10).topics[own.topic].partitions)
        consumer.assign([TopicPartition(own.topic, number, OFFSET_BEGINNING) for number in left])
        while left:
            message = consumer.poll(20)
            assert message is not None
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None
            if message.error():
                left.discard(partition)
                continue
            messages.append((partition, offset, message.key(), message.headers() or [], digest(message.value())))
    return sorted(messages, key=lambda message: message[:2])


def landed(own: Settings) -> list[Message]:
    """The same of all that lies in the landings, accepted or rejected and not replayed since."""
    hdfs, rows, replayed = Hdfs(own), {}, set()
    for path, _ in hdfs.files(landings.ROOT):
        lined = hdfs.filesystem.cat_file(hdfs.path(landings.ROOT, path))
        for line in (gzip.decompress(lined) if path.endswith(".gz") else lined).decode().splitlines():
            if "table=landings" in path:
                row = json.loads(line)
                replayed |= {(row["kafka_partition"], offset) for offset in row["replayed_offsets"]}
                continue
            is_accepted = "table=assessments" in path
            row = json.loads(line)
            value = lines.message_of(line) if is_accepted else lines.rejected_message_of(row)
            key, headers = decoded(row.get("key_base64")), row.get("headers", [])
            place = row["kafka_partition"], row["kafka_offset"]
            assert (*place, is_accepted) not in rows, "twice"
            kept = [(each["name"], decoded(each["value_base64"])) for each in headers]
            rows[(*place, is_accepted)] = (*place, key, kept, digest(value))
    for place in replayed:
        assert rows[(*place, True)] == rows.pop((*place, False)), "a replay changes nothing of a message"
    return sorted(rows.values(), key=lambda row: row[:2])


def decoded(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)


def account(own: Settings, column: str = "absent_count") -> list[tuple[Any, ...]]:
    """The rows of the newest landing."""
    with Hive(own) as hive:
        return hive.query(
            f"SELECT kafka_partition, start_offset, end_offset, accepted_count, rejected_count, {column} "
            "FROM raw.landings WHERE landing IN (SELECT MAX(landing) FROM raw.landings) ORDER BY kafka_partition"
        ).rows


def wrong_accounts(own: Settings) -> list[tuple[Any, ...]]:
    """The landings whose account does not add up, by the check of their suite."""
    path = PROJECT / "expectations/1_raw/landings_v1/account.sql"
    check = sqlfile.SqlFile(path, path.read_text())
    (statement,) = check.statements({"landing": "1000000"})
    with Hive(own) as hive:
        return hive.query(statement).rows


@pytest.fixture(scope="module")
def transactions(own: Settings) -> Iterator[Producer]:
    """A transactional producer that has committed twice, aborted between and left its third transaction open."""
    sender = producer(own, **{"transactional.id": "exams", "transaction.timeout.ms": 600_000})
    sender.init_transactions(20)
    for ending, names in (("commit", "ab"), ("abort", "xyz"), ("commit", "c"), ("", "d")):
        sender.begin_transaction()
        for name in names:
            sender.produce(own.topic, text(attempt(name)), partition=1)
        sender.flush(20)
        if ending:
            getattr(sender, f"{ending}_transaction")(20)
    yield sender


@pytest.fixture(scope="module")
def first(own: Settings, transactions: Producer) -> land.Landed:
    """The first landing, of nearly all that Kafka may hold."""
    assert transactions
    publish(own, 0, text(attempt("plain")), b"{not json", None, b"", LONG, LONGER)
    publish(own, 0, text(attempt("headers")), b"\xff\xfe", key=b"\xff\x00key", headers=HEADERS)
    publish(own, 0, text({**attempt("deep"), **DEEP}), text(holding("hint", questions=[question(hint={"a": [1.50]})])))
    publish(own, 0, json.dumps(attempt("pretty"), indent=2).encode(), key=b"")
    return land.land(own, print)


@pytest.mark.case(
    "Transactions: committed, aborted, left open; tombstones, empty values, binary keys and headers, 10 MB, 16 MB",
    "landed",
    "what a read_committed consumer sees, sha256 equal",
)
def test_what_is_landed_is_what_a_consumer_of_committed_messages_sees(own: Settings, first: land.Landed) -> None:
    assert (first.accepted, first.rejected) == (9, 5)
    rows = landed(own)
    assert len(rows) == 14 and rows == seen(own)


@pytest.mark.case("Aborted transactions", "landed", "their offsets counted as absent")
def test_offsets_without_a_message_are_counted(own: Settings, first: land.Landed) -> None:
    """Three marks of transactions and three aborted messages; the open transaction is yet to be landed."""
    assert first.spans == ", offsets 0-10 of partition 0, offsets 0-8 of partition 1; offsets without a message: 6"
    assert account(own) == [(0, 0, 11, 6, 5, 0), (1, 0, 9, 3, 0, 6)]
    assert wrong_accounts(own) == []


@pytest.mark.case("Unknown fields", "landed", "recorded with path and example")
def test_keys_headers_and_unknown_fields_are_columns(own: Settings, first: land.Landed) -> None:
    assert first
    named = (
        "headers[0].name, headers[0].value_base64, headers[1].value_base64, headers[2].value_base64, headers[3].name"
    )
    expected = ("/wBrZXk=", "trace", "/wA=", "", None, 'a "name" é')
    with Hive(own) as hive:
        for table in ("raw.assessments", "raw.rejected_messages"):
            statement = f"SELECT key_base64, {named} FROM {table} WHERE SIZE(headers) > 0"
            assert hive.query(statement).rows == [expected]
        fields = "SELECT field.path, field.example FROM raw.assessments LATERAL VIEW EXPLODE(unknown_fields) u AS field"
        assert sorted(hive.query(fields).rows) == [
            ("$.sequences.questions[].hint", '{"a":[1.5]}'),
            ("$.unknown", "[[[[1]]]]"),
        ]


def test_the_rejected_are_shown_by_reason_and_given_back_byte_for_byte(own: Settings, first: land.Landed) -> None:
    assert first
    run = runner({"WAREHOUSE_HOME": str(own.home)})
    table = run("rejected").stdout
    assert "not UTF-8 at byte N" in table and "no value (a tombstone)" in table and "0:5" in table
    command = [PROJECT / "warehouse", "rejected", "0:5"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "WAREHOUSE_HOME": str(own.home)}, check=True)
    assert done.stdout == LONGER
    with Hive(own) as hive:
        assert rejected.message(hive, "0:2") is None and rejected.message(hive, "0:3") == b""
    assert "no message was rejected at 0:0" in run("rejected", "0:0", code=2).stderr
    assert "partition:offset" in run("rejected", "5", code=2).stderr


@pytest.mark.case("Transaction open at a landing", "committed, landed again", "landed once")
def test_an_open_transaction_is_landed_once_it_is_committed(
    own: Settings, first: land.Landed, transactions: Producer
) -> None:
    assert first
    transactions.commit_transaction(20)
    assert land.land(own, print).accepted == 1
    assert landed(own) == seen(own)


# Loss


@pytest.mark.case(
    "Offsets lost to retention", "landed", "gap per partition shown, exit code 3, until --accept-loss names it"
)
def test_a_loss_is_refused_until_it_is_named(own: Settings, first: land.Landed) -> None:
    assert first
    before = landed(own)
    publish(own, 0, *(text(attempt(f"lost {number}")) for number in range(5)))
    delete_before(own, 0, 14)
    administer(own, "create_partitions", [NewPartitions(own.topic, 3)])
    while 2 not in kafka.describe(own).offsets:
        time.sleep(0.1)
    publish(own, 2, *(text(attempt(f"added {number}")) for number in range(4)))
    delete_before(own, 2, 4)
    run = runner({"WAREHOUSE_HOME": str(own.home)})
    for words in ([], ["--accept-loss", "0:11-13"]):
        output = run("land", *words, code=3).stderr
        assert "lost 7 offsets" in output and "0:11-13, 2:0-3" in output
    assert "did not lose 0:10-13" in run("land", "--accept-loss", "0:10-13,2:0-3", code=2).stderr
    assert landed(own) == before
    output = run("land", "--accept-loss", "0:11-13", "--accept-loss", "2:0-3").stderr
    assert "landed 2 messages, rejected 0, offsets 14-15 of partition 0; offsets lost in Kafka: 7" in output
    assert account(own, "lost_count") == [(0, 14, 16, 2, 0, 3), (1, 11, 11, 0, 0, 0), (2, 4, 4, 0, 0, 4)]
    assert "landed 0 messages" in run("land").stderr


@pytest.mark.case("Offsets lost to retention", "everything new lost", "accepted by name, recorded")
def test_a_loss_of_all_that_is_new_is_landed_too(own: Settings, first: land.Landed) -> None:
    assert first
    publish(own, 2, text(attempt("lost at once")))
    delete_before(own, 2, 5)
    done = land.land(own, print, ["2:4-4"])
    assert (done.accepted, done.spans) == (0, "; offsets lost in Kafka: 1")
    with Hive(own) as hive:
        statement = "SELECT COUNT(*) FROM raw.assessments UNION ALL SELECT COUNT(*) FROM raw.rejected_messages"
        assert sum(count for (count,) in hive.query(statement).rows) == len(landed(own))


# Replay


@pytest.mark.case("Replay of rejected messages", "replayed twice", "each that fits now landed once")
def test_a_mended_checker_lands_what_it_had_rejected_once(own: Settings, first: land.Landed) -> None:
    assert first
    deep = [text({**attempt(f"deep {number}"), **DEEP}) for number in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_fields, "LEVELS", 4)  # the modules of the workers are sent to them as they are here
        publish(own, 0, *deep[:2], key=b"\x80", headers=HEADERS)
        publish(own, 2, deep[2])
        assert land.land(own, print).rejected == 3
    before = landed(own)
    with Hive(own) as hive:
        count = hive.query("SELECT COUNT(*) FROM raw.rejected_messages").rows[0][0]
        done = replay.replay(own, print)
        assert (done.landed.accepted, done.rejected) == (3, count - 3)
        assert hive.query("SELECT COUNT(*) FROM raw.rejected_messages").rows == [(count - 3,)]
    assert landed(own) == before
    assert account(own, "SIZE(replayed_offsets)") == [(0, 18, 18, 2, 0, 2), (1, 11, 11, 0, 0, 0), (2, 6, 6, 1, 0, 1)]
    again = replay.replay(own, print)
    assert (again.landed.landing, again.landed.accepted, again.rejected) == (0, 0, count - 3)
    assert not [name for name in Hdfs(own).names(landings.ROOT) if name.startswith(".")]


@pytest.mark.case("Replay of rejected messages", "after fewer fields are required", "those that fit now landed once")
def test_a_message_without_a_required_field_can_be_replayed_when_the_contract_takes_it(
    own: Settings, first: land.Landed
) -> None:
    assert first
    nameless, empty = text({**attempt("nameless"), "exam_name": None}), text({})
    publish(own, 2, nameless, empty)
    done = land.land(own, print)
    assert (done.accepted, done.rejected) == (0, 2)
    before = landed(own)
    with Hive(own) as hive:
        statement = "SELECT reason FROM raw.rejected_messages WHERE reason LIKE 'required field%' ORDER BY kafka_offset"
        assert hive.query(statement).rows == [
            ("required field is null at $.exam_name",),
            ("required field is missing at $.keen_id",),
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spark_job, "limits", lambda _file: (["keen_id"], 65_536))
            assert replay.replay(own, print).landed.accepted == 1
        assert hive.query(statement).rows == [("required field is missing at $.keen_id",)]
    assert landed(own) == before


def test_a_landing_lists_its_files(own: Settings, first: land.Landed) -> None:
    hdfs = Hdfs(own)
    for name in hdfs.names(landings.ROOT):
        first_row, *others = hdfs.rows(landings.ROOT, name, "table=landings", "landing.json")
        files = [file for file in hdfs.files(landings.ROOT, name) if not file[0].startswith("table=landings")]
        there = [(f"{landings.ROOT}/{name}/{path}", size) for path, size in files]
        assert [(file["path"], file["bytes"]) for file in first_row["files"]] == there
        assert not any(file["files"] for file in others)
    assert len(first.partitions[0]["files"]) > 1


# A killed loader


@pytest.mark.long
@pytest.mark.case("Loader killed while Spark writes", "landed again", "its job ended, nothing duplicated")
def test_a_loader_that_is_killed_leaves_nothing_that_the_next_one_does_not_mend(
    own: Settings, first: land.Landed
) -> None:
    assert first
    hdfs = Hdfs(own)
    publish(own, 0, *(text(attempt(f"killed {number}")) for number in range(3000)))
    environment = {**os.environ, "WAREHOUSE_HOME": str(own.home)}
    loader = subprocess.Popen([PROJECT / "warehouse", "land"], env=environment, start_new_session=True)
    while not [name for name in hdfs.names(landings.ROOT) if name.startswith(".staging-")]:
        assert loader.poll() is None
    os.killpg(loader.pid, signal.SIGKILL)
    loader.wait()
    done = land.land(own, print)
    assert done.accepted in (0, 3000)  # it was killed before its rename, or after
    with Hive(own) as hive:
        statement = "SELECT COUNT(*), COUNT(DISTINCT kafka_offset) FROM raw.assessments"
        assert hive.query(f"{statement} WHERE payload.exam_name LIKE 'killed %'").rows == [(3000, 3000)]
    with land.loading(own):  # the killed one's job may have written until now
        assert not [name for name in hdfs.names(landings.ROOT) if name.startswith(".")]


# New versions of the contract


@pytest.mark.case("Contract `_v2` with a new optional field", "landed and queried", "old and new messages read")
def test_a_new_version_reads_old_and_new_messages(own: Settings, first: land.Landed, sql: Path) -> None:
    assert first
    add_version(sql, 2, ("started_at: STRING,", "started_at: STRING, difficulty: BIGINT,"))
    publish(own, 0, text({**attempt("difficult"), "difficulty": 5}), text({**attempt("hard"), "difficulty": "5"}))
    done = land.land(own, print)
    assert (done.accepted, done.rejected) == (1, 1)
    with Hive(own) as hive:
        statement = "SELECT payload.difficulty FROM raw.assessments WHERE payload.exam_name IN ('plain', 'difficult')"
        assert sorted(hive.query(statement).rows, key=str) == [(5,), (None,)]
        reasons = hive.query("SELECT reason FROM raw.rejected_messages WHERE reason LIKE '%difficulty'").rows
    assert reasons == [("expected integer, got string at $.difficulty",)]
    assert account(own, "contract")[0][-1] == "raw.assessments_v2"
    # What was unknown so far is held against the type that a version gives it, before it can be read so.
    add_version(sql, 3, ("difficulty: BIGINT,", "difficulty: BIGINT, unknown: STRING,"))
    with pytest.raises(
        UsageError, match=r"was landed, but does not fit raw.assessments_v3: expected string, got array"
    ):
        land.land(own, print)
    with Hive(own) as hive:
        assert hive.query("SELECT COUNT(*) FROM raw.assessments WHERE payload.difficulty = 5").rows == [(1,)]
    version = sql / "1_raw" / "assessments_v3.sql"
    version.write_text(version.read_text().replace("unknown: STRING", "unknown: ARRAY<ARRAY<ARRAY<ARRAY<BIGINT>>>>"))
    assert land.land(own, print).accepted == 0
    with Hive(own) as hive:
        statement = "SELECT COUNT(*) FROM raw.assessments WHERE payload.unknown[0][0][0][0] = 1"
        assert hive.query(statement).rows == [(4,)]


def test_another_type_of_payload_in_a_released_file_is_refused(own: Settings, first: land.Landed, sql: Path) -> None:
    assert first
    file = sql / "1_raw/assessments_v1.sql"
    file.write_text(file.read_text().replace("base_exam_id: STRING", "base_exam_id: BIGINT"))
    before = landed(own)
    with pytest.raises(UsageError, match=r"changes the columns of raw\.assessments_v1, .*assessments_v2\.sql"):
        land.land(own, print)
    assert landed(own) == before


# A broker that goes away


@pytest.mark.long
@pytest.mark.case("Broker killed in the middle", "landed, landed again", "reported in one line, then all landed once")
def test_a_broker_that_is_killed_in_the_middle_costs_nothing(
    own: Settings, first: land.Landed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first
    publish(own, 0, *(text(attempt(f"away {number}")) for number in range(10)))
    pid = processes.read(own)["processes"]["kafka"].pid
    describe = kafka.describe

    def described(settings: Settings) -> Topic:
        topic = describe(settings)
        os.kill(pid, signal.SIGKILL)
        return topic

    before = Hdfs(own).names(landings.ROOT)
    with monkeypatch.context() as patch:
        patch.setattr(kafka, "describe", described)
        with pytest.raises(ServerError) as caught:
            land.land(own, print)
    assert own.bootstrap_servers in str(caught.value)
    assert [name for name in Hdfs(own).names(landings.ROOT) if not name.startswith(".")] == before
    processes.up(own, print)
    assert land.land(own, print).accepted == 10


# All of it


@pytest.mark.case("Account of all these landings", "counted", "offsets = accepted + rejected + absent")
def test_the_account_of_all_these_landings_is_right(own: Settings, first: land.Landed) -> None:
    assert first
    assert wrong_accounts(own) == []


# Other topics


@pytest.mark.long
@pytest.mark.case("Compacted topic", "landed", "what is left of it, the rest counted as absent")
def test_a_compacted_topic_lands_what_is_left_of_it(own: Settings, first: land.Landed, tmp_path: Path) -> None:
    """Into a folder of its own, and not into the tables."""
    assert first
    name = "compacted"
    config = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
    }
    administer(own, "create_topics", [NewTopic(name, 1, config=config)])
    other = own.model_copy(update={"topic": name, "warehouse_root": f"{own.warehouse_root}/{name}", "home": tmp_path})
    publish(other, 0, *(text(attempt(f"version {number}")) for number in range(20)), key=b"same")
    time.sleep(0.5)
    publish(other, 0, text(attempt("last")), key=b"other")  # begins a new segment
    deadline = time.monotonic() + 60
    while len(seen(other)) > 2 and time.monotonic() < deadline:
        time.sleep(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(land, "register", lambda _settings, _hive, hdfs: landings.current(hdfs))
        done = land.land(other, print)
    assert landed(other) == seen(other)
    assert (done.accepted, done.total("absent_count")) == (2, 19)


@pytest.mark.case("Topic deleted and created again", "landed", "refused by its topic id, with advice")
def test_a_topic_that_is_made_anew_is_refused_with_advice(own: Settings, first: land.Landed) -> None:
    assert first
    administer(own, "delete_topics", [own.topic])
    time.sleep(1)
    administer(own, "create_topics", [NewTopic(own.topic, 3, config=LIMIT)])
    output = runner({"WAREHOUSE_HOME": str(own.home)})("land", code=1).stderr
    assert "is not the one landed so far" in output and "WAREHOUSE_WAREHOUSE_ROOT" in output
