"""Moves messages from Kafka to the raw JSON tables on HDFS, each exactly once.

A landing is one folder, `landings/landing=N`, that appears on HDFS by one rename and never changes. It holds
the accepted messages, the rejected ones and, as the rows of raw.landings, the offsets it covers. The newest
landing is the only record of where the next one starts, so no second state can disagree with the data. The
rename fails where landing N is there already: of two loaders that read the same offsets, one wins.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from etl.errors import WarehouseError
from etl.land import offsets, recheck, spark_job
from etl.servers import kafka, spark
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import contract, erasures, landings, ledger, lock
from etl.store.erased_attempts import Erased
from etl.store.landings import Generation
from etl.store.schema import Schema
from etl.terminal import progress


@dataclass(frozen=True)
class Landed:
    """The result of a landing: its number (0 for none) and a row per Kafka partition, as in raw.landings."""

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
        """The offsets landed, in words, after a comma; empty when there were none."""
        spans = "".join(
            f", offsets {row['start_offset']}-{row['end_offset'] - 1} of partition {row['kafka_partition']}"
            for row in self.partitions
            if row["end_offset"] > row["start_offset"]
        )
        notes = {
            "without a message": self.total("absent_count"),
            "of erased attempts": self.total("erased_count"),
            "lost in Kafka": self.total("lost_count"),
        }
        return spans + "".join(f"; offsets {note}: {count:,}" for note, count in notes.items() if count)


@dataclass(frozen=True)
class Loader:
    """The right to add the next landing, `number`; `before` are the rows of the newest landing."""

    settings: Settings
    hive: Hive
    hdfs: Hdfs
    number: int
    before: list[dict[str, Any]]
    erased: Erased | None = None
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def folder(self) -> tuple[str, str]:
        """The staging folder, which no other loader uses: a killed one's job may still be writing to its own."""
        return landings.ROOT, staging_prefix(self.settings) + self.identity

    @property
    def staging(self) -> str:
        """The address of the staging folder, for Spark."""
        return f"{self.settings.warehouse_root}/{'/'.join(self.folder)}"

    def clean(self) -> None:
        """Remove what killed loaders of this home left; holding the lock proves that they are dead."""
        for name in self.hdfs.names(landings.ROOT):
            if name.startswith(staging_prefix(self.settings)):
                spark.end(self.settings, name.removeprefix(staging_prefix(self.settings)))
                self.hdfs.remove(landings.ROOT, name)

    def commit(self, rows: list[dict[str, Any]]) -> Landed:
        """Rename the staged folder to the landing, with its files listed in the first of the rows of raw.landings."""
        target = (landings.ROOT, f"landing={self.number}")
        files = ledger.file_rows(self.hdfs, *self.folder, named=target)
        self._refuse_lost(rows, files)
        common = {"landing": self.number, "contract": contract.newest().table, "landed_at": ledger.now()}
        rows = [{**row, **common, "files": [] if number else files} for number, row in enumerate(rows)]
        self.hdfs.put_rows(rows, *self.folder, f"table={landings.TABLE}", landings.ACCOUNT)
        self._refuse_lost(rows, [{"path": path} for path, _ in self.hdfs.files(*self.folder)])
        if not self.hdfs.rename_new(self.folder, target):
            self.hdfs.remove(*self.folder)
            raise WarehouseError(
                f"another loader landed landing {self.number} first; nothing of this one was kept",
                "run it again",
            )
        register(self.settings, self.hive, self.hdfs)
        return Landed(self.number, rows)

    def _refuse_lost(self, rows: list[dict[str, Any]], files: list[dict[str, Any]]) -> None:
        """Raise WarehouseError where messages were counted whose lines are no longer in the staging folder."""
        for table, column in ((spark_job.ACCEPTED, "accepted_count"), (spark_job.REJECTED, "rejected_count")):
            is_there = any(f"table={table}/" in file["path"] for file in files)
            if any(row[column] for row in rows) and not is_there:
                raise WarehouseError(
                    f"the staged lines of {table} in {'/'.join(self.folder)} were removed; nothing was landed",
                    "run ./warehouse land again",
                )


def staging_prefix(settings: Settings) -> str:
    """The prefix of this home's staging folders; the identity of a loader follows."""
    home = hashlib.sha256(str(settings.home.resolve()).encode()).hexdigest()[:12]
    return f".staging-{socket.gethostname()}-{home}-"


def register(settings: Settings, hive: Hive, hdfs: Hdfs) -> Generation:
    """Register every landing in the raw tables; returns what counts on HDFS.

    If a loader dies after its rename, the next command does this for it.
    """
    schema = Schema(settings, hive, hdfs)
    schema.ops()
    generation = schema.raw(landings.current(hdfs), partial(recheck.refuse_unfit, settings, hdfs))
    schema.save()
    return generation


@contextlib.contextmanager
def loading(settings: Settings, patience: float = 0) -> Iterator[Loader]:
    """Hold the right to land for this home, waiting for it up to `patience` seconds.

    Raises BusyError when another loader is running.
    """
    with lock.exclusive(settings, "land", patience), Hive(settings) as hive:
        hdfs = Hdfs(settings)
        generation = register(settings, hive, hdfs)
        newest = generation.folders[-1:]  # no compaction holds it
        before = landings.account(hdfs, newest[0]) if newest else []
        # Read behind the landings: a loader that misses a request has a number that the erasure takes.
        loader = Loader(settings, hive, hdfs, generation.last + 1, before, erasures.read(settings, hdfs))
        loader.clean()
        yield loader


def land(
    settings: Settings,
    say: Callable[[str], None],
    accepted_losses: Sequence[str] = (),
    patience: float = 0,
    takes_number: bool = False,
) -> Landed:
    """Land everything between the end of the newest landing and the end of the topic.

    `takes_number` adds a landing behind others even where nothing is new: a loader that read the same offsets before
    cannot land them any more. `patience` is as for `loading`.
    Raises WarehouseError when another loader is running, or the topic was deleted and created again, and
    ExpectationError for offsets that Kafka has lost, except those in `accepted_losses`, written as 0:100-199.
    """
    accepted = offsets.gaps_of(accepted_losses)
    with progress("land") as bar, loading(settings, patience) as loader:
        topic = kafka.describe(settings)
        ranges = offsets.ranges(topic, loader.before, accepted)
        length = sum(row["end_offset"] - row["start_offset"] for row in ranges)
        if not length and not accepted and not (takes_number and loader.before):
            return Landed(0, [])
        say(f"landing {length:,} offsets of {topic.name}")
        counts: dict[tuple[int, str], int] = {}
        if length:
            task = f"land {topic.name} of Kafka at {settings.bootstrap_servers}"
            with spark.session(settings, loader.identity, task, bar) as session:
                bar.at(0, text=f"{length:,} offsets")
                messages = spark_job.messages(session, settings, ranges)
                lines = spark_job.checked(session, messages, loader.number, loader.erased)
                counts = spark_job.write(lines, loader.staging, [row["kafka_partition"] for row in ranges])
            offsets.refuse_another(kafka.describe(settings), ranges)  # Spark knows the topic by its name alone
        return loader.commit([_counted(row, counts) for row in ranges])


def _counted(row: dict[str, Any], counts: dict[tuple[int, str], int]) -> dict[str, Any]:
    """Return a range with the counts of its accepted, rejected, erased and absent messages."""
    accepted, rejected, erased = (counts.get((row["kafka_partition"], table), 0) for table in spark_job.COUNTED)
    absent = row["end_offset"] - row["start_offset"] - accepted - rejected - erased
    return {
        **row,
        "accepted_count": accepted,
        "rejected_count": rejected,
        "erased_count": erased,
        "absent_count": absent,
        "replayed_offsets": [],
    }
