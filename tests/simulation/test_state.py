"""What one command leaves, where no other is at work: what is due, what is recorded, what repair registers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hdfs_in_memory import FakeHdfs
from histories import after
from hive_in_memory import FakeHive, Metastore
from simulated_core import HOMES, silent, simulated
from world import Process, Step, World, check_readers

from etl import sqlfile
from etl.build import build, clean, plan, repair, rollback
from etl.land import compact, land
from etl.store import landings, recorded_files
from etl.store.ledger import CLEANED, PUBLISHED, REJECTED, STARTED, Event, Ledger, fold
from etl.store.schema import Schema


def at_work(commands: str) -> World:
    """The state after these commands, to be asked by a test."""
    world = after(commands).world
    FakeHdfs.world = FakeHive.world = world
    world.running.append(Process(Step("test")))
    return world


@pytest.mark.parametrize(
    ("commands", "is_due"),
    [
        ("land build", False),
        ("land build land", True),
        ("land build land reject", True),
        ("land build compact", False),
        ("land build retire", True),
        ("land build rollback land build rollback", True),
    ],
)
def test_a_build_is_due_where_readers_do_not_see_all_that_there_is(commands: str, is_due: bool) -> None:
    with simulated():
        at_work(commands)
        assert plan.plan(FakeHdfs(None), Ledger(FakeHdfs(None))).is_due == is_due
        before = Ledger(FakeHdfs(None)).events()
        assert (build.build(HOMES[0], silent) is not None) == is_due
        assert (Ledger(FakeHdfs(None)).events() != before) == is_due


def recorded(since: int) -> set[str]:
    """The paths that a validation compares, of landings after `since`."""
    hdfs = FakeHdfs(None)
    event = Ledger(hdfs).state().published
    assert event
    files = [file for file in sqlfile.files("[23]_*") if file.table in event.hashes]
    rows = recorded_files.of(hdfs, files, landings.current(hdfs), since, event.landing, event.table_versions)
    assert all(row["bytes"] == hdfs.size(row["path"]) for row in rows if row["bytes"])
    return {row["path"] for row in rows}


def test_every_file_that_readers_read_is_recorded() -> None:
    with simulated():
        world = at_work("land build land land build")
        whole = {"/".join(path) for path, _ in world.files.walk() if path[-1].startswith("part-0")}
        assert recorded(0) == {path for path in whole if "release=1/" not in path}
        new = {path for path in recorded(0) if "landing=1/" not in path}
        assert recorded(1) == new and recorded(3) == {path for path in new if path.startswith("marts/")}


def test_a_flat_folder_whose_record_is_lost_counts_as_a_file_that_is_missing() -> None:
    with simulated():
        world = at_work("land build")
        lost = "flat/messages_v1/compaction=0/last_landing=1/_manifest.json"
        world.files.pop(*lost.split("/"))
        assert lost in recorded(0)


def test_a_landing_is_a_partition_of_each_raw_table_when_its_loader_ends() -> None:
    with simulated():
        world = at_work("land land")
        for table in ("raw.assessments_v1", "raw.landings_v1", "raw.rejected_messages_v1"):
            folders = [folder.partition for folder in landings.current(FakeHdfs(None)).folders]
            assert len(folders) == 2 and sorted(world.metastore.tables[table][1]) == folders


@pytest.mark.parametrize("commands", ["land build land reject", "land land build land compact land reject"])
def test_repair_registers_every_folder_that_is_filled(commands: str) -> None:
    with simulated():
        world = at_work(commands)
        tables = ("raw.assessments_v1", "flat.messages_v1", "flat.superseded_messages_v1", "marts.exams_v1")
        before = {table: world.metastore.tables[table][1] for table in tables}
        views = dict(world.metastore.views)
        world.metastore = Metastore()
        lost = repair.repair(HOMES[0])
        assert {"table raw.assessments_v1", "view flat.attempts"} <= set(lost)
        folders = [folder.partition for folder in landings.current(FakeHdfs(None)).folders]
        for table in tables[:3]:
            assert world.metastore.tables[table][1] == {name: before[table][name] for name in folders}
        assert world.metastore.tables["marts.exams_v1"][1] == before["marts.exams_v1"]
        assert world.metastore.views["ops.published"] == views["ops.published"]
        check_readers(world)
        assert repair.repair(HOMES[0]) == []


def test_a_rollback_alters_views_of_which_a_suspended_loader_has_saved_an_older_hash() -> None:
    with simulated():
        world = at_work("land build land build")
        right = dict(world.metastore.views)
        for view in ("marts.exams", "marts.questions"):
            world.metastore.views[view] = "of a later version"
        rollback.rollback(HOMES[0], silent)
        for view in ("marts.exams", "marts.questions"):
            assert world.metastore.views[view] == right[view]


def test_a_build_after_a_rollback_shows_the_later_version_again(sql: Path) -> None:
    def view_after(command: Callable[..., object]) -> str:
        command(HOMES[0], silent)
        return world.metastore.views["marts.exams"]

    path = sql / "3_marts/exams_v2.sql"
    path.write_text((sql / "3_marts/exams_v1.sql").read_text(encoding="utf-8").replace("exams_v1", "exams_v2"))
    with simulated():
        world = at_work("land build")
        later, files = sqlfile.SqlFile.read(path), sqlfile.files

        def with_later(stages: str = "[0-9]_*") -> list[sqlfile.SqlFile]:
            return [each for file in files(stages) for each in (file, later)[: 1 + (file.table == "marts.exams_v1")]]

        with_file = mock.patch.dict(world.file_of, {later.table: later})
        unread = mock.patch("world.check_readers")  # it knows of one version
        with with_file, unread, mock.patch.object(sqlfile, "files", with_later):
            second = view_after(build.build)
            assert "exams_v2" in second
            assert "exams_v1" in view_after(rollback.rollback)
            assert view_after(build.build) == second


def test_a_build_names_the_reason_of_what_it_does_alone() -> None:
    def reasons(commands: str) -> set[str]:
        at_work(commands)
        due = plan.plan(FakeHdfs(None), Ledger(FakeHdfs(None)))
        return {due.reason(file) for file in sqlfile.files("[23]_*")}

    with simulated():
        assert reasons("land") >= {"first build"}
        assert reasons("land build") == {""}
        assert reasons("land build land") == {"", "1 new folder", "new data"}


def test_merging_the_log_keeps_the_release_that_a_rollback_goes_back_to() -> None:
    rejected = "land reject " * 12
    with simulated():
        world = at_work(f"land build land build {rejected} land build")
        files = world.files.get("ops", "releases_v1")
        assert any(name.startswith("events-to-") for name in files)
        previous = Ledger(FakeHdfs(None)).state().previous
        assert previous and previous.landing == 2


def test_the_log_names_each_release_once() -> None:
    with simulated():
        at_work("land build land reject build rollback")
        events = Ledger(FakeHdfs(None)).events()
        assert len({event.release for event in events if event.action == PUBLISHED}) == 2


def test_no_command_changes_a_file_of_a_landing_a_flat_table_or_a_release() -> None:
    """Messages of an attempt come again in later landings: corrections change no file either."""
    world, before = World(), {}
    FakeHdfs.world = FakeHive.world = world
    commands = "land build land replay build reject land build rollback build compact repair clean land build"
    with simulated():
        for command in commands.split():
            world.run(Step(command))
            files = {path: text for path, text in world.files.walk() if path[0] in ("landings", "flat", "marts")}
            assert [path for path, text in files.items() if before.get(path, text) != text] == []
            before |= files


def test_clean_removes_what_no_release_and_no_generation_needs_and_what_killed_commands_left() -> None:
    with simulated():
        world = at_work(f"{'land build ' * 3} compact {'land build ' * 3} compact land reject")
        world.files.put(b"", "landings", clean.staging_prefix(HOMES[0]) + "killed", "rows")
        listed = clean.clean(HOMES[0], is_removed=False)
        before = {"/".join(path) for path, _ in world.files.walk()}
        assert clean.clean(HOMES[0], is_removed=True) == listed
        left = {"/".join(path) for path, _ in world.files.walk()}
        assert {row.why for row in listed} == {
            "of a release that is two steps back or was rejected",
            "of landings that were merged",
            "left by a command that was killed",
        }
        gone = {file for file in before - left if not file.startswith("ops/")}
        assert gone == {file for file in before if any(file.startswith(f"{row.path}/") for row in listed)}
        kept = {event.release for event in Ledger(FakeHdfs(None)).state().publications}
        for mart in ("exams_v1", "questions_v1"):
            assert set(FakeHdfs(None).names("marts", mart)) == {f"release={release}" for release in kept}
        needed = {folder.path for each in landings.generations(FakeHdfs(None)) for folder in each.folders}
        assert {"/".join(path[:-2]) for path, _ in world.files.walk("landings") if path[-2].startswith("table=")} == {
            path.partition("/")[2] for path in needed
        }
        places = [place for _, partitions in world.metastore.tables.values() for place in partitions.values()]
        folders = {place[:-1] if place[0] == "landings" else place for place in places}  # a landing may lack a table
        assert folders and all(world.files.get(*folder) for folder in folders)


def test_a_build_is_undecided_from_its_start_until_its_release_is_published_or_rejected() -> None:
    def undecided(*actions: str) -> int:
        return fold([Event(number, action, 7, 1, "spark") for number, action in enumerate(actions, 1)]).undecided

    assert undecided() == 0 and undecided(STARTED) == undecided(STARTED, CLEANED) == 7
    assert undecided(STARTED, PUBLISHED) == undecided(STARTED, REJECTED) == 0


def test_what_another_home_left_is_removed_when_nothing_in_it_changed_for_long() -> None:
    with simulated():
        world = at_work("land build")
        names = [clean.staging_prefix(home) + "draft" for home in HOMES]
        for name in names:
            world.files.put(b"", "landings", name, "rows")
        assert {row.path for row in clean.clean(HOMES[0], False)} == {f"landings/{names[0]}"}
        assert {row.path for row in clean.clean(HOMES[0], False, dead_before=2e12)} == {
            f"landings/{name}" for name in names
        }


def test_a_compaction_waits_until_the_flat_tables_have_the_one_before() -> None:
    with simulated():
        at_work("land land land")
        assert compact.compact(HOMES[0], silent) == 0, "nothing is published"
        world = at_work("land build land build land build land build")
        assert compact.compact(HOMES[0], silent) == 1
        assert compact.compact(HOMES[0], silent) == 1
        assert [name for name in world.files.get("landings") if name.startswith("compaction=")] == ["compaction=1"]
        build.refill(HOMES[0], silent)
        assert compact.compact(HOMES[0], silent) == 0, "there is nothing left to merge"


def test_a_table_of_the_published_release_keeps_its_columns_and_another_may_get_new_ones() -> None:
    with simulated(), mock.patch.object(Schema, "table", autospec=True, side_effect=Schema.table) as table:
        at_work("land")
        for is_released in (False, True):
            table.reset_mock()
            build.build(HOMES[0], silent)
            flags = {call.kwargs["is_released"] for call in table.call_args_list if "is_released" in call.kwargs}
            assert flags == {is_released}
            land.land(HOMES[0], silent)


def test_before_a_release_only_partitions_of_raw_tables_can_be_missing() -> None:
    with simulated():
        world = at_work("land land")
        assert repair.check(HOMES[0]) == []
        world.metastore.tables["raw.assessments_v1"][1].pop("compaction=0/last_landing=2")
        assert repair.check(HOMES[0]) == ["partition compaction=0/last_landing=2 of raw.assessments_v1"]
