"""Moves messages from Kafka to the raw JSON tables on HDFS, each exactly once.

A landing is one folder, `landings/landing=N`, that appears on HDFS by one rename and never changes. It holds
the accepted messages, the rejected ones and, as the rows of raw.landings, the offsets it covers. The newest
landing is the only record of where the next one starts, so no second state can disagree with the data. The
rename fails where landing N is there already: of two loaders that read the same offsets, one wins.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from filelock import FileLock, Timeout

from etl import contract, kafka, ledger, offsets, spark, sqlfile
from etl.errors import UsageError, WarehouseError
from etl.hdfs import Hdfs
from etl.hive import Hive
from etl.settings import Settings
from etl.terminal import progress

LANDINGS = "landings"
FOLDER = "landings"  # HDFS folder of all landings, beside the tables'


@dataclass(frozen=True)
class Landed:
    """What one landing brought: its number (0 for none) and a row per Kafka partition, as in raw.landings."""

    landing: int
    partitions: list[dict[str, Any]]

    def total(self, column: str) -> int:
        """The sum of a count over the Kafka partitions."""
        return sum(row[column] for row in self.partitions)

    @property
    def accepted(self) -> int:
        """Messages that fit the contract."""
        return self.total("accepted_count")

    @property
    def rejected(self) -> int:
        """Messages kept in raw.rejected_messages."""
        return self.total("rejected_count")

    @property
    def spans(self) -> str:
        """The offsets landed, in words, behind a comma; empty when there were none."""
        spans = "".join(
            f", offsets {row['start_offset']}-{row['end_offset'] - 1} of partition {row['kafka_partition']}"
            for row in self.partitions
            if row["end_offset"] > row["start_offset"]
        )
        notes = {"without a message": self.total("absent_count"), "lost in Kafka": self.total("lost_count")}
        return spans + "".join(f"; offsets {what}: {count:,}" for what, count in notes.items() if count)


@dataclass(frozen=True)
class Loader:
    """Who may add the next landing, `number`; `before` are the rows of the newest one."""

    settings: Settings
    hive: Hive
    hdfs: Hdfs
    number: int
    before: list[dict[str, Any]]
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def _prefix(self) -> str:
        """What the staging folders of this home begin with; behind it stands the identity of a loader."""
        home = hashlib.sha256(str(self.settings.home.resolve()).encode()).hexdigest()[:12]
        return f".staging-{socket.gethostname()}-{home}-"

    @property
    def folder(self) -> tuple[str, str]:
        """The staging folder, which no other loader uses: a killed one's job may still be writing to its own."""
        return FOLDER, self._prefix + self.identity

    @property
    def staging(self) -> str:
        """The address of the staging folder, for Spark."""
        return f"{self.settings.warehouse_root}/{'/'.join(self.folder)}"

    def clean(self) -> None:
        """Remove what killed loaders of this home left; whoever holds the lock knows that they are dead."""
        for name in self.hdfs.names(FOLDER):
            if name.startswith(self._prefix):
                spark.end(self.settings, name.removeprefix(self._prefix))
                self.hdfs.remove(FOLDER, name)

    def commit(self, rows: list[dict[str, Any]]) -> Landed:
        """Make what was staged the landing, with its files listed in the first of the rows of raw.landings."""
        staged = "/".join(self.folder)
        files = [
            {**file, "path": file["path"].removeprefix(f"{staged}/")} for file in ledger.stored(self.hdfs, *self.folder)
        ]
        known = {"contract": contract.newest().table, "landed_at": ledger.now()}
        rows = [{**row, **known, "files": [] if number else files} for number, row in enumerate(rows)]
        self.hdfs.put_rows(rows, *self.folder, f"table={LANDINGS}", "landing.json")
        if not self.hdfs.rename_new(self.folder, (FOLDER, f"landing={self.number}")):
            raise WarehouseError(
                f"another loader landed landing {self.number} first; nothing of this one was kept",
                "run it again",
            )
        publish_landings(self.settings, self.hive, self.hdfs)
        return Landed(self.number, rows)


@contextlib.contextmanager
def loading(settings: Settings) -> Iterator[Loader]:
    """Be the one loader of this home.

    Raises WarehouseError when another one is at work.
    """
    with alone(settings, "land"), Hive(settings) as hive:
        hdfs = Hdfs(settings)
        last = max(publish_landings(settings, hive, hdfs), default=0)
        loader = Loader(settings, hive, hdfs, last + 1, manifest(hdfs, last))
        loader.clean()
        yield loader


def land(settings: Settings, say: Callable[[str], None], accepted_losses: Sequence[str] = ()) -> Landed:
    """Land everything between the end of the newest landing and the end of the topic.

    Raises WarehouseError when another loader is at work, or the topic is not the one that was landed, and
    ExpectationError for offsets that Kafka has lost, but for those that are named, as in 0:100-199.
    """
    accepted = offsets.gaps_of(accepted_losses)
    with progress("land") as bar, loading(settings) as loader:
        topic = kafka.describe(settings)
        ranges = offsets.ranges(topic, loader.before, accepted)
        length = sum(row["end_offset"] - row["start_offset"] for row in ranges)
        if not length and not accepted:
            return Landed(0, [])
        say(f"landing {length:,} offsets of {topic.name}")
        counts: dict[tuple[int, str], int] = {}
        if length:
            task = f"land {topic.name} of Kafka at {settings.bootstrap_servers}"
            with spark.session(settings, loader.identity, task, bar) as session:
                bar.at(0, text=f"{length:,} offsets")
                lines = spark.checked(session, spark.messages(session, settings, ranges))
                counts = spark.write(lines, loader.staging, [row["kafka_partition"] for row in ranges])
            offsets.refuse_another(kafka.describe(settings), ranges)  # Spark knows the topic by its name alone
        return loader.commit([_counted(row, counts) for row in ranges])


def _counted(row: dict[str, Any], counts: dict[tuple[int, str], int]) -> dict[str, Any]:
    """A range with the counts of what was landed of it."""
    accepted, rejected = (counts.get((row["kafka_partition"], table), 0) for table in (spark.ACCEPTED, spark.REJECTED))
    absent = row["end_offset"] - row["start_offset"] - accepted - rejected
    return {
        **row,
        "accepted_count": accepted,
        "rejected_count": rejected,
        "absent_count": absent,
        "replayed_offsets": [],
    }


@contextlib.contextmanager
def alone(settings: Settings, verb: str) -> Iterator[None]:
    """Tell a second `verb` on this machine at once; between machines a landing's rename decides."""
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.home / f"{verb}.lock", timeout=0):
            yield
    except Timeout:
        raise WarehouseError(f"another {verb} is at work here", "wait for it to end and run it again") from None


def publish_landings(settings: Settings, hive: Hive, hdfs: Hdfs) -> list[int]:
    """Make the raw tables where they are missing, and every landing on HDFS a partition of each.

    Returns the numbers of all landings. A loader that died between its rename and here is mended by the next.
    """
    newest, views = contract.newest(), {}
    raw = sorted(sqlfile.files("1_raw"), key=lambda file: file.version)
    values = {"warehouse_root": settings.warehouse_root}
    for file in raw:
        views[file.name] = file.views(values)
        hive.make(file.tables(values))
    numbers = [int(name.removeprefix("landing=")) for name in hdfs.names(FOLDER) if name.startswith("landing=")]
    for file in raw:
        folder = file.name.partition(".")[2]
        known = {row[0] for row in hive.query(f"SHOW PARTITIONS {file.table}").rows}
        missing = [number for number in sorted(numbers) if f"landing={number}" not in known]
        if file.table == newest.table:
            try:
                _refuse_unfit(settings, hdfs, missing)
            except UsageError:
                if not known:  # it was made just now, and its file is to be changed
                    hive.drop(file.table)
                raise
        places = [
            f"PARTITION (landing = {number}) "
            f"LOCATION '{settings.warehouse_root}/{FOLDER}/landing={number}/table={folder}'"
            for number in missing
        ]
        if places:
            hive.query(f"ALTER TABLE {file.table} ADD IF NOT EXISTS {' '.join(places)}")
    hive.make(itertools.chain(*views.values()))  # last, so that a reader of a new version finds every landing
    return numbers


def _refuse_unfit(settings: Settings, hdfs: Hdfs, landings: Sequence[int]) -> None:
    """Raise UsageError where a message that landed under an older contract does not fit the newest one.

    Its unknown field may be one that a new version names, with a type that is not the message's.
    """
    table = contract.newest().table
    rows = {number: manifest(hdfs, number) for number in landings}
    older = [
        f"{settings.warehouse_root}/{FOLDER}/landing={number}/table={spark.ACCEPTED}"
        for number, found in rows.items()
        if found[0]["contract"] != table and any(row["accepted_count"] for row in found)
    ]
    if not older:
        return
    with spark.session(settings, str(uuid.uuid4()), f"check what was landed against {table}") as session:
        for partition, offset, reason in spark.unfit(session, older):
            raise UsageError(
                f"message {partition}:{offset} was landed, but does not fit {table}: {reason}",
                "give the new field the type that landed messages have, or another name",
            )


def manifest(hdfs: Hdfs, landing: int) -> list[dict[str, Any]]:
    """The rows of raw.landings that a landing holds."""
    return hdfs.rows(FOLDER, f"landing={landing}", f"table={LANDINGS}", "landing.json") if landing else []
