"""What `land --follow` leaves behind: files and partitions come and go, and are as many after a year as after a day."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
import simulated_core
from hdfs_in_memory import FakeHdfs
from hive_in_memory import FakeHive
from reliability import Case
from simulated_core import HOMES, PARTITIONS, simulated
from world import Process, Step, World

from etl import sqlfile
from etl.build import follow
from etl.build.clean import OF_RUNS
from etl.store import ledger

TAIL, KEPT = ledger.TAIL, ledger.KEPT
FILES, METASTORE_PARTITIONS = 5_500, 4_000  # at most, with 200 landings between two compactions


@dataclass
class Growing(World):
    """A topic that has new messages whenever it is asked, and readers that are not asked."""

    peaks: list[tuple[int, int]] = field(default_factory=list)  # files and partitions, before each time it is tidied

    def change(self, _name: str, effect: Any) -> Any:
        return effect()

    def before_call(self, name: str) -> None:
        del name

    def size_now(self) -> tuple[int, int]:
        """Files on HDFS and partitions in the metastore."""
        partitions = sum(len(partitions) for _, partitions in self.metastore.tables.values())
        return sum(1 for _ in self.files.walk()), partitions


def _described(settings: Any) -> Any:
    FakeHdfs.world.published += PARTITIONS
    return simulated_core._describe(settings)


def _validated(*_: Any) -> Any:
    """A validation, which puts a file into each of its tables."""
    world = FakeHdfs.world
    world.names += 1
    for table in OF_RUNS:
        world.files.put(b"{}\n", "ops", table, f"r20260101T{world.names:012d}.json")
    return simulated_core._validate(*_)


@pytest.fixture
def all_tables() -> Iterator[None]:
    """The simulation with every table of the warehouse."""
    stems = [file.path.stem for file in sqlfile.files("[0-3]_*")]
    caches = (simulated_core.files_by_table, simulated_core._of_stages)
    with (
        mock.patch.object(simulated_core, "TABLES", stems),
        mock.patch.dict(simulated_core.STUBS, {"etl.validate.validate": {"validate": _validated}}),
        mock.patch("hive_in_memory.attempts", lambda *_: (("a", 0, 0),)),
        mock.patch("hive_in_memory.superseded", lambda *_: []),
    ):
        for cached in caches:
            cached.cache_clear()
        yield
    for cached in caches:
        cached.cache_clear()


def followed(landings: int) -> Growing:
    """The state behind so many steps of `land --follow`."""
    world, stop = Growing(), threading.Event()
    FakeHdfs.world = FakeHive.world = world
    world.running.append(Process(Step("land")))

    def say(text: str) -> None:
        number = int(text.partition(":")[0].removeprefix("landing "))
        if number % follow.TIDY_LANDINGS == 0:
            world.peaks.append(world.size_now())
        if number == landings:
            stop.set()

    with (
        simulated(),
        mock.patch.object(follow, "Hdfs", FakeHdfs),
        mock.patch("etl.servers.kafka.describe", _described),
        mock.patch.multiple(ledger, TAIL=TAIL, KEPT=KEPT),  # as they are
    ):
        follow.follow(HOMES[0], say, stop)
    return world


@pytest.mark.usefixtures("all_tables")
def test_steps_for_ever_leave_a_bounded_number_of_files_and_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "TIDY_LANDINGS", 20)
    peaks = followed(180).peaks
    assert {partitions for _, partitions in peaks[3:]} == {peaks[3][1]}
    assert max(files for files, _ in peaks[4:]) <= max(files for files, _ in peaks[2:4])


@pytest.mark.long
@pytest.mark.usefixtures("all_tables")
def test_thousands_of_steps_leave_no_more_than_a_day(case: Case) -> None:
    peaks = followed(3_000).peaks[3:]
    assert max(files for files, _ in peaks) <= FILES
    assert max(partitions for _, partitions in peaks) <= METASTORE_PARTITIONS
    case("Simulated servers", "steps of `land --follow`", f"never more than {FILES:,} files", 3_000)
