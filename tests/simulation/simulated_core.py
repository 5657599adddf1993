"""What stands in the core for servers, locks, threads, the Spark job, Kafka and the validation."""

from __future__ import annotations

import contextlib
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from hdfs_in_memory import FakeHdfs
from hive_in_memory import ROOT, FakeHive, rejected, rows_in

from etl import sqlfile
from etl.build import build, clean, erase, plan, repair, retire, rollback
from etl.land import compact, land, replay, rewrite, spark_job
from etl.servers import kafka
from etl.sqlfile import SqlFile
from etl.sqltext import ESCAPED
from etl.store import erasures, landings, ledger, schema
from etl.store.erasures import Erasure
from etl.terminal import Bar

TABLES = (
    *("candidate", "metastore", "published", "releases_v1"),
    *("assessments_v1", "landings_v1", "rejected_messages_v1"),
    *("messages_v1", "superseded_messages_v1", "attempts_v1", "exams_v1", "questions_v1"),
)


PARTITIONS = 2  # of the topic
RETIRED = "marts.questions_v1"  # the table whose file a history may remove
TAIL, KEPT = 4, 6  # of the log, so that few events are merged


@dataclass
class Settings:
    """What the commands ask the settings for."""

    home: Path
    engine: str = "spark"
    warehouse_root: str = ROOT
    topic: str = "assessments"
    bootstrap_servers: str = "simulated"
    keep_months: dict[str, int] = field(default_factory=dict)


HOMES = tuple(Settings(Path(f"/simulated/{name}")) for name in ("first", "second", "third"))


ORIGINAL_FILES = sqlfile.files


def message(partition: int, offset: int) -> tuple[int, int, str, int]:
    """A message of the topic: its attempt and its time follow from its place."""
    number = number_of(partition, offset)
    return partition, offset, f"a{(number * 7) % 5 % 3}", (number * 5) % 4 + number // 3


def number_of(partition: int, offset: int) -> int:
    """The place of a message among all messages."""
    return offset * PARTITIONS + partition


def fits(partition: int, offset: int) -> bool:
    """Whether a message is accepted when it is landed."""
    return number_of(partition, offset) % 5 != 2


def fits_later(partition: int, offset: int) -> bool:
    """Whether a message is accepted when it is replayed: of the rejected ones every other."""
    return number_of(partition, offset) % 10 != 7


@cache
def files_by_table() -> dict[str, SqlFile]:
    """The SQL files of the simulation by table."""
    return {file.table: file for file in ORIGINAL_FILES() if file.path.stem in TABLES}


def chosen_files(stages: str = "[0-9]_*") -> list[SqlFile]:
    """The SQL files of some stages."""
    return list(_of_stages(stages, FakeHdfs.world.is_removed))


@cache
def _of_stages(stages: str, is_removed: bool) -> list[SqlFile]:
    files = [file for file in files_by_table().values() if file.path.parent.match(stages)]
    return [file for file in files if not is_removed or file.table != RETIRED]


def silent(_text: str) -> None:
    """Says nothing."""


def by_cache(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of SqlFile that cuts each text into statements once; values are put in behind that, as text."""
    cache: dict[Any, Any] = {}

    def call(file: SqlFile, values: Mapping[str, str] | None = None, is_candidate: bool = False) -> Any:
        values = values or {}
        key = (file.path.stem, is_candidate, *values)
        if key not in cache:
            marks = {name: _mark(number, values[name]) for number, name in enumerate(values)}
            result = method(file, marks, is_candidate) if method.__name__ == "view" else method(file, marks)
            cache[key] = type(result), list(marks.values()), list(result)
        kind, marks_, texts = cache[key]
        for mark, value in zip(marks_, values.values(), strict=True):
            escaped = ESCAPED.sub(_escaped, value)
            texts = [text.replace(mark, escaped) for text in texts]
        return kind(texts)

    return call


def _mark(number: int, value: str) -> str:
    """What stands in for a value: nothing else in a SQL file looks like it."""
    return f"90009000{number}" if value.isdecimal() else f"MARK{number}"


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def by_place(method: Callable[[SqlFile], Any]) -> Callable[[SqlFile], Any]:
    """A property of SqlFile that is asked once for each file."""
    cache: dict[int, tuple[SqlFile, Any]] = {}

    def call(file: SqlFile) -> Any:
        key = id(file)
        if key not in cache:
            cache[key] = file, method(file)
        return cache[key][1]

    return call


class Serial:
    """An executor that does at once what it is given."""

    def __init__(self, _workers: int) -> None: ...

    def __enter__(self) -> Serial:
        return self

    def __exit__(self, *_: object) -> None: ...

    map = staticmethod(map)


@contextlib.contextmanager
def no_bar(*_: Any) -> Iterator[Bar]:
    """No progress bar."""
    yield Bar()


def _validate(_settings: Any, _say: Any, scope: Any) -> Any:
    world = FakeHdfs.world
    world.before_call("validate")
    if world.metastore.pointer("ops.candidate")[0] == scope.release:
        world.validated.add(scope.release)
    is_good = not world.is_rejecting
    if any(world.pending.values()):  # in a history with an erasure, results name attempts
        world.files.put(b'{"observed":["a0","a1"]}', "ops", "expectation_results_v1", f"r{len(world.landed)}")
    return types.SimpleNamespace(is_good=is_good, worst="simulated", summary="", rows=[], failed=[], seconds=0.0)


def _describe(_settings: Any) -> kafka.Topic:
    world = FakeHdfs.world
    end = world.published // PARTITIONS
    return kafka.Topic("assessments", "t", {partition: (world.deleted, end) for partition in range(PARTITIONS)})


def _request(settings: Any, attempts: Sequence[str], reason: str) -> None:
    FakeHdfs.world.pending.setdefault(settings.home, {})["e1"] = Erasure("e1", attempts, reason)


def _pending(settings: Any) -> list[Erasure]:
    return list(FakeHdfs.world.pending.get(settings.home, {}).values())


def _publish_requests(_settings: Any, hdfs: FakeHdfs, requests: Sequence[Erasure]) -> None:
    for erasure in requests:
        rows = [{"attempt_hash": f"hash of {attempt[1:]}"} for attempt in erasure.attempts]
        hdfs.put_rows(rows, *erasures.TABLE, f"{erasure.erasure_id}.json")


def _complete(settings: Any, hdfs: FakeHdfs, erasure: Erasure) -> None:
    hdfs.put_rows([], *erasures.TABLE, f"{erasure.erasure_id}.completed.json")
    FakeHdfs.world.pending[settings.home].pop(erasure.erasure_id)


def _erased(_settings: Any, hdfs: FakeHdfs) -> frozenset[str] | None:
    rows = [row for name in hdfs.names(*erasures.TABLE) for row in hdfs.rows(*erasures.TABLE, name)]
    return frozenset(f"a{row['attempt_hash'].rpartition(' ')[2]}" for row in rows) or None


def _kept(content: bytes, _kind: str, erased: Any, gone: list[Any], _naming: Any) -> Iterator[bytes]:
    for line in content.splitlines(keepends=True):
        partition, offset, attempt, _, landing = msgspec.json.decode(line)
        if attempt in erased:
            gone.append((landing, partition, offset))
        else:
            yield line


def _delete_before(_settings: Any, ends: Mapping[int, int]) -> str:
    world = FakeHdfs.world
    world.change("delete records", lambda: setattr(world, "deleted", max(world.deleted, *ends.values())))
    return ""


@dataclass
class Lines:
    """Checked messages, by raw table, in place of a data frame of lines."""

    by_table: dict[str, list[tuple[Any, ...]]]

    def where(self, _condition: str) -> Lines:
        """Only those that were accepted."""
        return Lines({spark_job.ACCEPTED: self.by_table[spark_job.ACCEPTED]})


class Session:
    """A Spark session that reads rejected messages, or the lines that a replay has staged."""

    def __init__(self) -> None:
        self.read = self

    def sql(self, text: str) -> list[tuple[int, int]]:
        """The rejected messages that can be replayed, of landings before the one that the query ends with."""
        FakeHdfs.world.before_call("rejected messages")
        return [(row[0], row[1]) for row in rejected(FakeHdfs.world, int(text.split()[-1]))]

    def text(self, path: str) -> Session:
        """The staged lines."""
        content = FakeHdfs(None).content(*path.removeprefix(f"{ROOT}/").split("/"), "part-0.txt.gz")
        self._rows = [row[:2] for row in rows_in(content)]
        return self

    def selectExpr(self, *_columns: str) -> Session:
        """Their places."""
        return self

    def collect(self) -> list[tuple[Any, ...]]:
        """The rows."""
        return self._rows


@contextlib.contextmanager
def _session(*_: Any) -> Iterator[Session]:
    yield Session()


def _messages(_session: Any, _settings: Any, ranges: Any) -> Any:
    return ranges


def _checked(_session: Any, messages: Any, landing: int, erased: frozenset[str] | None = None) -> Lines:
    """Check messages that are landed, given as ranges, or that are replayed, given as places."""
    is_replayed = bool(messages) and isinstance(messages[0], tuple)
    places = (
        messages
        if is_replayed
        else [
            (row["kafka_partition"], offset)
            for row in messages
            for offset in range(row["start_offset"], row["end_offset"])
        ]
    )
    lines: dict[str, list[tuple[Any, ...]]] = {table: [] for table in spark_job.COUNTED}
    for place in places:
        is_good = fits_later(*place) if is_replayed else fits(*place)
        table = spark_job.ACCEPTED if is_good else spark_job.REJECTED
        lines[spark_job.ERASED if message(*place)[2] in (erased or ()) else table].append((*message(*place), landing))
    return Lines(lines)


def _write(lines: Lines, staging: str, partitions: Sequence[int]) -> dict[tuple[int, str], int]:
    """The Spark job: a file of lines for each raw table."""
    counts = {(partition, table): 0 for partition in partitions for table in lines.by_table}
    for table, rows in lines.by_table.items():
        for row in rows:
            counts[row[0], table] += 1
        if rows and table != spark_job.ERASED:
            content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
            folder = staging.removeprefix(f"{ROOT}/").split("/")
            FakeHdfs(None).put(content, *folder, f"table={table}", "part-0.txt.gz")
    return counts


STUBS = {
    "etl.validate.run_suite": {"preload": lambda: None},
    "etl.validate.scope": {"Scope": lambda release, *_, **__: types.SimpleNamespace(release=release)},
    "etl.validate.suites": {"refuse_incomplete": lambda _: None},
    "etl.validate.summary_page": {"mark_published": lambda *_: None},
    "etl.validate.validate": {"validate": _validate},
}


QUICK = [
    (sqlfile, "candidate_text", cache(sqlfile.candidate_text)),
    *((SqlFile, name, by_cache(getattr(SqlFile, name))) for name in ("view", "tables", "fills")),
    (SqlFile, "read", cache(SqlFile.read)),
    *((SqlFile, name, property(by_place(getattr(SqlFile, name).fget))) for name in ("table", "name", "version")),
]


_depth = 0


@contextlib.contextmanager
def simulated() -> Iterator[None]:
    """The core with the simulated servers in place of the real ones; the same again inside changes nothing."""
    global _depth
    with contextlib.ExitStack() as stack:
        if not _depth:
            for patch in patches():
                stack.enter_context(patch)
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1


def patches() -> Iterator[Any]:
    """What stands in the core in place of servers, locks, threads, bars, the validation and Spark."""
    modules = {}
    for name, members in STUBS.items():
        modules[name] = types.ModuleType(name)
        modules[name].__dict__.update(members)
    files_by_table()
    yield mock.patch.dict(sys.modules, modules)
    commands = (build, clean, compact, erase, repair, replay, retire, rewrite, rollback, land)
    for module in (*commands, plan, landings, ledger, schema):
        for name, fake in (
            ("Hdfs", FakeHdfs),
            ("Hive", FakeHive),
            ("ThreadPoolExecutor", Serial),
            ("progress", no_bar),
        ):
            if hasattr(module, name):
                yield mock.patch.object(module, name, fake)
    yield mock.patch("etl.servers.hdfs.ThreadPoolExecutor", Serial)
    for module in (build, compact, land):
        yield mock.patch.object(module, "uuid", types.SimpleNamespace(uuid4=lambda: FakeHdfs.world.uuid4()))
    yield mock.patch.object(sqlfile, "files", chosen_files)
    for place, name, quick in QUICK:
        yield mock.patch.object(place, name, quick)
    yield mock.patch("etl.store.lock.exclusive", lambda *arguments: FakeHdfs.world.exclusive(*arguments))
    yield mock.patch("etl.build.repair.files", chosen_files)
    for name, fake in (
        ("request", _request),
        ("pending", _pending),
        ("publish_requests", _publish_requests),
        ("complete", _complete),
        ("read", _erased),
    ):
        yield mock.patch.object(erasures, name, fake)
    yield mock.patch.object(rewrite, "_kept", _kept)
    yield mock.patch.object(erase, "of_attempts", lambda erased, _: erased)
    yield mock.patch.object(rewrite, "gzip", types.SimpleNamespace(compress=lambda content, _: content))
    yield mock.patch.object(erase, "mask", lambda *_: 0)
    yield mock.patch("etl.servers.kafka.delete_before", _delete_before)
    yield mock.patch("etl.servers.kafka.describe", _describe)
    yield mock.patch("etl.servers.spark.session", _session)
    yield mock.patch("etl.servers.spark.end", lambda *_: None)
    for name, fake in (("messages", _messages), ("checked", _checked), ("write", _write)):
        yield mock.patch.object(spark_job, name, fake)
    for name, value in (("TAIL", TAIL), ("KEPT", KEPT)):
        yield mock.patch.object(ledger, name, value)
    yield mock.patch("etl.store.contract.newest", lambda: files_by_table()["raw.assessments_v1"])
    yield mock.patch.object(land, "staging_prefix", lambda settings: f".staging-{settings.home.name}-")
    yield mock.patch.object(clean, "staging_prefix", lambda settings: f".staging-{settings.home.name}-")
