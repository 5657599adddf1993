"""What the simulation assumes of HDFS and of the metastore, each tried on the real servers.

That SIGKILL leaves no half of a change is tried by tests/stack/test_faults.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from etl.errors import GoneError, ServerError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings

FOLDER = "assumptions"
RACERS, RACES = 8, 10
READ = "SELECT pointer.release FROM assumptions.pointer AS pointer"


@pytest.fixture
def hdfs(settings: Settings) -> Iterator[Hdfs]:
    hdfs = Hdfs(settings)
    yield hdfs
    hdfs.remove(FOLDER)


def test_of_many_renames_to_one_name_one_wins_and_the_others_keep_their_source(hdfs: Hdfs) -> None:
    for race in range(RACES):
        start = threading.Barrier(RACERS)

        def renamed(racer: int, race: int = race, start: threading.Barrier = start) -> bool:
            hdfs.put(str(racer).encode(), FOLDER, f"draft={racer}", "rows")
            start.wait()
            return hdfs.rename_new((FOLDER, f"draft={racer}"), (FOLDER, f"landing={race}"))

        with ThreadPoolExecutor(RACERS) as pool:
            (winner,) = [racer for racer, is_first in enumerate(pool.map(renamed, range(RACERS))) if is_first]
        assert hdfs.files(FOLDER, f"landing={race}") == [("rows", 1)]
        assert hdfs.content(FOLDER, f"landing={race}", "rows") == str(winner).encode()
        drafts = [name for name in hdfs.names(FOLDER) if name.startswith("draft=")]
        assert drafts == [f"draft={racer}" for racer in range(RACERS) if racer != winner]


def test_a_file_takes_a_name_once(hdfs: Hdfs) -> None:
    assert hdfs.put_rows([{"n": 1}], FOLDER, "event.json")
    assert not hdfs.put_rows([{"n": 2}], FOLDER, "event.json")
    assert hdfs.rows(FOLDER, "event.json") == [{"n": 1}] and hdfs.names(FOLDER) == ["event.json"]


def test_what_was_removed_cannot_be_renamed_or_read(hdfs: Hdfs) -> None:
    hdfs.put(b"1", FOLDER, "draft", "rows")
    hdfs.remove(FOLDER, "draft")
    hdfs.remove(FOLDER, "draft")
    with pytest.raises(ServerError):
        hdfs.rename_new((FOLDER, "draft"), (FOLDER, "landing=1"))
    with pytest.raises(GoneError):
        hdfs.content(FOLDER, "draft", "rows")
    assert hdfs.names(FOLDER) == []


@pytest.mark.parametrize("engine", ["spark", "hive"])
def test_a_view_that_is_altered_is_never_missing_and_shows_the_new_text_to_the_next_query(
    engine: str, settings: Settings
) -> None:
    settings = settings.model_copy(update={"engine": engine})
    with Hive(settings) as writer, Hive(settings) as reader:
        writer.query("CREATE DATABASE IF NOT EXISTS assumptions")
        try:
            writer.query("CREATE VIEW assumptions.pointer AS SELECT 0 AS release")
            stop, answers = threading.Event(), []

            def read() -> None:
                while not stop.is_set():
                    answers.append(
                        reader.query("SELECT pointer.release FROM assumptions.pointer AS pointer").rows[0][0]
                    )

            with ThreadPoolExecutor(1) as pool:
                reading = pool.submit(read)
                for release in range(1, 21):
                    writer.query(f"ALTER VIEW assumptions.pointer AS SELECT {release} AS release")
                    assert writer.query("SELECT pointer.release FROM assumptions.pointer AS pointer").rows == [
                        (release,)
                    ]
                stop.set()
                reading.result()
            assert answers == sorted(answers) and len(answers) > 1
        finally:
            writer.query("DROP DATABASE assumptions CASCADE")
