"""Every kind of message comes back exactly from either table and does no harm.

The cases stand in corpus.py. The servers get all of them at once, behind whatever other tests have published.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from commands import Run
from comparing import TABLES, assert_tables_are_right, consumed
from contract_messages import PATHS, Path
from corpus import CASES, Case
from messages import publish

from etl.land.raw_lines import message_of
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.store import landings

pytestmark = pytest.mark.long("corpus")

ENGINES = ("spark", "hive")


def sha256(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()


def is_right(case: Case, reason: str | None) -> bool:
    """Whether a message was accepted, or rejected for this reason, as it should be."""
    return reason is None if case.words is None else reason is not None and case.words in reason


# What the cases are


# What the check says


# What the servers do


@pytest.fixture(scope="module")
def placed(settings: Settings, run: Run, built: str, quick_build: Callable[..., None]) -> dict[int, str]:
    """{Kafka offset: name of the case}; all of them are published, landed and built."""
    assert built
    first = len(consumed(settings))
    publish(settings, *(case.value for case in CASES.values()))
    accepted = sum(case.words is None for case in CASES.values())
    landed = run("land").stderr
    if first == 3280:  # no other test has left messages to land
        assert f"landed {accepted:,} messages, rejected {len(CASES) - accepted:,}, offsets {first}-" in landed
    quick_build()
    return dict(enumerate(CASES, start=first))


@pytest.fixture(scope="module")
def sessions(settings: Settings) -> Iterator[dict[str, Hive]]:
    """An open session on each engine."""
    spark, hive = (settings.model_copy(update={"engine": engine}) for engine in ENGINES)
    with Hive(spark) as first, Hive(hive) as other:
        yield {"spark": first, "hive": other}


def lines(settings: Settings, table: str) -> Iterator[str]:
    """The lines of a raw table as they stand on HDFS."""
    hdfs = Hdfs(settings)
    for folder in landings.current(hdfs).folders:
        for path, _ in hdfs.files(*folder.of(table)):
            yield from gzip.decompress(hdfs.content(*folder.of(table), path)).decode().split("\n")[:-1]


@pytest.mark.case(
    "Messages of every kind (docs/messages.md)", "landed", "raw or rejected by a rule, sha256 equal", times=len(CASES)
)
def test_the_bytes_of_each_come_back_from_hdfs(settings: Settings, placed: dict[int, str]) -> None:
    results: dict[int, tuple[str | None, str | None]] = {}
    for line in lines(settings, "assessments"):
        results[json.loads(line)["kafka_offset"]] = sha256(message_of(line)), None
    for line in lines(settings, "rejected_messages"):
        row = json.loads(line)
        kept = None if row["message_base64"] is None else base64.b64decode(row["message_base64"])
        results[row["kafka_offset"]] = sha256(kept), row["reason"]
    wrong = {
        name: results.get(offset)
        for offset, name in placed.items()
        if offset not in results
        or results[offset][0] != sha256(CASES[name].value)
        or not is_right(CASES[name], results[offset][1])
    }
    assert wrong == {}


@pytest.mark.usefixtures("placed")
@pytest.mark.case(
    "Messages of every kind (docs/messages.md)",
    "built",
    "every table equals the plain-Python computation",
    times=len(CASES),
)
def test_every_table_behind_them_equals_the_independent_computation(
    settings: Settings, sessions: dict[str, Hive]
) -> None:
    assert_tables_are_right(settings, sessions["spark"])


RAW = ("raw.assessments", "raw.rejected_messages", "raw.landings")


@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize("table", [*RAW, *TABLES])
@pytest.mark.case(
    "Queries after messages of every kind", "every column, both engines", "no query fails, same answers", times=1
)
def test_both_engines_find_the_same_in_every_column(table: str, sessions: dict[str, Hive]) -> None:
    described = sessions["spark"].query(f"DESCRIBE {table}").rows
    # Quotes within an array of structs are shown otherwise by either engine: its fields are compared below.
    plain = [name for name, kind, _ in described if not kind.startswith(("struct", "array<struct"))]
    assert_same_answer(sessions, plain, table)


@pytest.mark.usefixtures("placed")
def test_both_engines_find_the_same_unknown_fields(sessions: dict[str, Hive]) -> None:
    exploded = "raw.assessments LATERAL VIEW EXPLODE(unknown_fields) unknown AS field"
    assert_same_answer(sessions, ["field.path", "field.example"], exploded)


@pytest.mark.usefixtures("placed")
def test_both_engines_find_the_same_headers(sessions: dict[str, Hive]) -> None:
    for table in ("raw.assessments", "raw.rejected_messages"):
        exploded = f"{table} LATERAL VIEW EXPLODE(headers) sent AS header"
        assert_same_answer(sessions, ["header.name", "header.value_base64"], exploded)


@pytest.mark.usefixtures("placed")
def test_both_engines_find_the_same_at_every_path_of_the_contract(sessions: dict[str, Hive]) -> None:
    exploded = "raw.assessments LATERAL VIEW OUTER EXPLODE(payload.sequences.questions) shown AS question"
    scalars = [column(path) for path, kind in PATHS.items() if isinstance(kind, str)]
    assert_same_answer(sessions, scalars, f"{exploded} LATERAL VIEW OUTER EXPLODE(question.options) offered AS choice")
    # By themselves: beside its own elements Spark would keep a copy of an array with each of 65,536 of them.
    assert_same_answer(sessions, ["SIZE(payload.sequences.questions)"], "raw.assessments")
    assert_same_answer(sessions, ["SIZE(question.options)"], exploded)


def column(path: Path) -> str:
    """A path as SQL sees it where questions and options are rows."""
    arrays = [place for place, step in enumerate(path) if step == 0]
    names = path[arrays[-1] + 1 :] if arrays else path
    return ".".join([("payload", "question", "choice")[len(arrays)], *(f"`{name}`" for name in names)])


def assert_same_answer(sessions: dict[str, Hive], columns: list[str], rows: str) -> None:
    """How many values of each there are, the least and the greatest: on both engines at once, and the same."""
    measures = ", ".join(f"COUNT({name}), MIN({name}), MAX({name})" for name in columns)
    with ThreadPoolExecutor(2) as pool:
        statement = f"SELECT COUNT(*), {measures} FROM {rows}"
        spark, hive = pool.map(lambda engine: sessions[engine].query(statement).rows[0], ENGINES)
    assert len(spark) == 1 + 3 * len(columns)
    assert spark == hive


@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("table", RAW)
def test_every_row_can_be_read_whole(engine: str, table: str, sessions: dict[str, Hive]) -> None:
    counted = sessions[engine].query(f"SELECT COUNT(*) FROM {table}").rows[0][0]
    assert len(sessions[engine].query(f"SELECT * FROM {table}").rows) == counted


@pytest.mark.usefixtures("placed")
def test_hive_builds_and_reads_the_same_tables(
    run: Run, settings: Settings, sessions: dict[str, Hive], quick_build: Callable[..., None]
) -> None:
    publish(settings, *(case.value for case in CASES.values()))
    run("land")
    quick_build(engine="hive")
    assert_tables_are_right(settings, sessions["hive"])


@pytest.mark.usefixtures("placed")
def test_every_report_and_every_expectation_answers_in_spite_of_them(run: Run) -> None:
    run("validate")
    for engine in ENGINES:
        run("report", "--engine", engine)
