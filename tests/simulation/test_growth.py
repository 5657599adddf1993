"""What `land --follow` leaves behind: files and partitions come and go, and are as many after a year as after a day."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import histories
import pytest
from histories import HOMES, PARTITIONS, Process, Step, World, silent, simulated
from servers_in_memory import FakeHdfs, FakeHive

from etl import sqlfile
from etl.build import follow
from etl.build.clean import OF_RUNS

FILES, METASTORE_PARTITIONS = 11_000, 5_500  # at most, with 200 landings between two compactions


@dataclass
class Growing(World):
    """A topic that has new messages whenever it is asked, and readers that are not asked."""

    peaks: list[tuple[int, int]] = field(default_factory=list)  # files and partitions, before each time it is tidied
    files_after: int = 0

    def change(self, _name: str, effect: Any) -> Any:
        return effect()

    def before_call(self, _name: str) -> None:
        return

    def size_now(self) -> tuple[int, int]:
        """Files on HDFS and partitions in the metastore."""
        partitions = sum(len(partitions) for _, partitions in self.metastore.tables.values())
        return sum(1 for _ in self.files.walk()), partitions


def _described(settings: Any) -> Any:
    FakeHdfs.world.published += PARTITIONS
    return histories._describe(settings)


def _validated(*_: Any) -> Any:
    """A validation, which puts a file into each of its tables."""
    world = FakeHdfs.world
    world.names += 1
    for table in OF_RUNS:
        world.files.put(b"{}\n", "ops", table, f"r20260101T{world.names:012d}.json")
    return histories._validate(*_)


@pytest.fixture
def all_tables() -> Iterator[None]:
    """The simulation with every table of the warehouse."""
    stems = [file.path.stem for file in sqlfile.files("[0-3]_*")]
    caches = (histories.files_by_table, histories._of_stages)
    with (
        mock.patch.object(histories, "TABLES", stems),
        mock.patch.dict(histories.STUBS, {"etl.validate.validate": {"validate": _validated}}),
        mock.patch("servers_in_memory.attempts", lambda *_: (("a", 0, 0),)),
        mock.patch("servers_in_memory.superseded", lambda *_: []),
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
    ):
        follow.follow(HOMES[0], say, stop)
    return world


@pytest.mark.usefixtures("all_tables")
def test_steps_for_ever_leave_a_bounded_number_of_files_and_partitions() -> None:
    world = followed(1_200)
    assert world.peaks[3:] == [world.peaks[3]] * 3
    files, partitions = world.peaks[-1]
    assert files <= FILES
    assert partitions <= METASTORE_PARTITIONS


@pytest.mark.long
@pytest.mark.usefixtures("all_tables")
def test_twenty_thousand_steps_leave_no_more_than_a_thousand() -> None:
    peaks = followed(20_000).peaks
    assert peaks[3:] == [peaks[3]] * (len(peaks) - 3)
    assert silent("") is None
