"""Proof that the checks check: finished tables with one thing wrong, which the validation must refuse.

A mutant is a build of its own, which no reader sees: one table holds the rows of the published build but for one
change, the others are carried along. At least one critical expectation must fail on it.
"""

from __future__ import annotations

import functools
import gzip
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from reliability import Case

from etl import sqlfile
from etl.build import fill
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import landings, ledger
from etl.store.ledger import Ledger, Release
from etl.validate import checkpoint, validate

MUTANT = "mutant"
FILES = {file.name: file for file in sqlfile.files("[23]_*")}
# What no expectation can see, and why.
NOTE = "a note about a message, from which nothing is made: the warning that shows it is all that reads it"
UNSEEN: dict[tuple[str, str, str], str] = {
    ("flat.messages", column, "swap"): NOTE for column in ("unknown_fields", "is_embedded", "oddities")
} | {
    ("flat.messages", "unknown_fields", "null"): NOTE,
    ("flat.messages", "questions", "swap"): "taken over by flat.attempts, and looked at from there on",
    ("flat.messages", "part", "swap"): "the build that wrote it, from which nothing is made",
}
# One of each kind runs every time, all of them with --long.
OFTEN = {
    ("flat.attempts", "started_at", "shift"),
    ("flat.attempts", "exam_name", "swap"),
    ("flat.attempt_questions", "is_incomplete", "null"),
    ("flat.question_options", "", "double"),
    ("flat.question_options", "clicked_at", "shift"),
    ("flat.question_options", "", "drop"),
}


def mutations() -> Iterator[tuple[str, str, str]]:
    """(table, column or "", kind) of everything that can be wrong."""
    for name, file in FILES.items():
        yield name, "", "drop"
        yield name, "", "double"
        for column, kind in file.columns:
            if column != "build_id":
                yield name, column, "null"
                yield name, column, "swap"
                if kind == "timestamp":
                    yield name, column, "shift"


def mutated(file: SqlFile, column: str, kind: str, build_id: str, rank: int = 1) -> str:
    """A SELECT of the build's rows with one of them changed, or two: those that many places from both ends."""
    names = [name for name, _ in file.columns if name != "build_id"]
    listed, key = ", ".join(f"`{name}`" for name in names), column or names[0]
    order = f"ORDER BY CASE WHEN {key} IS NULL THEN 1 ELSE 0 END, {key}"
    rest = ", ".join(f"`{name}`" for name in names if name != key)
    rows = f"""(
        SELECT {listed}, ROW_NUMBER() OVER ({order}, {rest}) AS low, ROW_NUMBER() OVER ({order} DESC, {rest}) AS high
        FROM {file.table} WHERE build_id = '{build_id}'
    ) AS numbered"""
    ends = f"""(
        SELECT *, MAX(CASE WHEN low = {rank} THEN {key} END) OVER () AS least,
            MAX(CASE WHEN high = {rank} THEN {key} END) OVER () AS most
        FROM {rows}
    ) AS ends"""
    if kind == "drop":
        return f"SELECT {listed} FROM {rows} WHERE low <> 1"
    if kind == "double":
        twice = "(SELECT EXPLODE(ARRAY(1, 2)) AS copy) AS twice"
        return f"SELECT {listed} FROM {rows} CROSS JOIN {twice} WHERE copy = 1 OR low = 1"
    end = "high" if dict(file.columns)[key].startswith("array") else "low"  # no questions at all make what NULL makes
    cell = {
        "null": f"CASE WHEN {end} = 1 THEN NULL ELSE {key} END",
        "swap": f"CASE WHEN low = {rank} THEN most WHEN high = {rank} THEN least ELSE {key} END",
        "shift": f"CASE WHEN low = 1 THEN {key} + INTERVAL '1' HOUR ELSE {key} END",
    }[kind]
    return f"SELECT {', '.join(cell if name == column else f'`{name}`' for name in names)} FROM {ends}"


@pytest.fixture(scope="module")
def hive(settings: Settings) -> Iterator[Hive]:
    with Hive(settings) as session:
        yield session


@pytest.fixture(scope="module")
def shown(settings: Settings, nasty: str, quick_build: Callable[..., None]) -> Release:
    """What readers see, by Spark; of every other table a mutant has the same."""
    assert nasty
    quick_build()
    found = Ledger(Hdfs(settings)).published()
    assert found
    return found


@pytest.fixture(scope="module")
def carry(settings: Settings, hive: Hive, shown: Release) -> Callable[[str], None]:
    """`carry("flat.attempts")` lets the mutant hold the published rows of every table but this one."""
    tables = Ledger(Hdfs(settings)).tables(shown.build_id)

    @functools.lru_cache(maxsize=1)  # what it holds stays so until another table is asked for
    def call(but: str) -> None:
        for name, file in FILES.items():
            hive.query(f"ALTER TABLE {file.table} DROP IF EXISTS PARTITION (build_id = '{MUTANT}')")
            if name != but:
                fill.add(settings, hive, file.table, MUTANT, tables[file.table].parts)

    return call


@pytest.fixture
def whole(carry: Callable[[str], None]) -> None:
    """The mutant holds the published rows of every table."""
    carry("")


def unmet(settings: Settings, table: str, landing: int) -> list[str]:
    """The first critical expectations that are not met, of the table's own suite, else of those that read it.

    Those that compute the rows again see the most, and are asked one by one before all others.
    """
    suites = validate.suites({"build_id": MUTANT, "landing": str(landing)})
    own = [one for one in suites if one[0] == table]
    others = [one for one in suites if one[0] != table and table.rpartition("_v")[0] in str(one[1])]
    for name, suite in own + others:
        critical = [one for one in suite["expectations"] if one["severity"] == validate.CRITICAL]
        queries = [one for one in critical if "unexpected_rows_query" in one["kwargs"]]
        for part in [*([one] for one in reversed(queries)), [one for one in critical if one not in queries]]:
            if part and (found := missed(settings, name, {**suite, "expectations": part})):
                return found
    return []


def missed(settings: Settings, name: str, suite: dict[str, Any]) -> list[str]:
    """The expectations of a suite that the mutant does not meet."""
    build_id = MUTANT if name.startswith(validate.BUILT) else None
    checks = checkpoint.define(settings, checkpoint.load(), name, suite, build_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [checkpoint.row(one) for one in checks.run(result_format="BOOLEAN_ONLY").results]
    return [str(row["expectation"]) for row in rows if not row["is_met"]]


@pytest.mark.usefixtures("whole")
def test_the_published_build_itself_meets_them_all(settings: Settings, shown: Release) -> None:
    """Else a mutant could fail for another reason."""
    assert [name for name, file in FILES.items() if unmet(settings, file.table, shown.landing)] == []


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [pytest.param(*one, marks=[] if one in OFTEN else [pytest.mark.long]) for one in mutations()],
)
def test_a_mutant_is_refused(
    name: str,
    column: str,
    kind: str,
    settings: Settings,
    hive: Hive,
    shown: Release,
    carry: Callable[[str], None],
    case: Case,
) -> None:
    file = FILES[name]
    if column:
        asked = f"SELECT COUNT(DISTINCT {column}) FROM {file.table} WHERE build_id = '{shown.build_id}'"
        if hive.query(asked).rows[0][0] < (2 if kind == "swap" else 1):
            pytest.skip(f"{column} has no two values to be exchanged")
    carry(name)
    for rank in range(1, 6):  # two rows that differ in nothing else can be exchanged without a difference
        hive.query(f"ALTER TABLE {file.table} DROP IF EXISTS PARTITION (build_id = '{MUTANT}')")
        Hdfs(settings).remove(*fill.folder(file.table, MUTANT))
        dynamic = "".join(f", {one}" for one in ("part", "started_month") if one in dict(file.columns))
        hive.query(  # not INSERT OVERWRITE: Spark refuses to read what it overwrites
            f"INSERT INTO TABLE {file.table} PARTITION (build_id = '{MUTANT}'{dynamic}) "
            + mutated(file, column, kind, shown.build_id, rank)
        )
        if is_changed(hive, file, shown.build_id):
            break
    else:
        raise AssertionError("the mutant is what it was made of")
    found = unmet(settings, file.table, shown.landing)
    case(f"Mutants of `{name}`", KINDS[kind], "refused" if found else f"not seen: {column} {kind}")
    assert bool(found) != ((name, column, kind) in UNSEEN)


def is_changed(hive: Hive, file: SqlFile, build_id: str) -> bool:
    """Whether the rows of the mutant are others than those it was made of."""
    names = ", ".join(f"`{name}`" for name, _ in file.columns if name != "build_id")
    old, new = (f"SELECT {names} FROM {file.table} WHERE build_id = '{one}'" for one in (build_id, MUTANT))
    changed = f"({old} EXCEPT ALL {new}) UNION ALL ({new} EXCEPT ALL {old})"
    return bool(hive.query(f"SELECT COUNT(*) FROM ({changed}) AS changed").rows[0][0])


KINDS = {
    "drop": "a row lost",
    "double": "a row doubled",
    "null": "a cell set to NULL, in each column",
    "swap": "two cells exchanged, in each column",
    "shift": "a time one hour later, in each column of times",
}


# The raw tables: their rows are lines of JSON, changed in a copy of a landing's folder

RAW: dict[str, dict[str, str]] = {  # by table: the columns, and the kinds of change that are wrong there
    "assessments": {
        "": "drop double",
        "landing": "null",
        "kafka_topic": "null",
        "kafka_partition": "null",
        "kafka_offset": "null swap",
        "kafka_timestamp": "null swap shift",
        "payload": "null swap",
    },
    "rejected_messages": {
        "": "drop double",
        "landing": "null",
        "kafka_topic": "null",
        "kafka_partition": "null",
        "kafka_offset": "null",
        "kafka_timestamp": "null",
        "reason": "null",
    },
    "landings": {
        "": "drop double",
        "landing": "null shift",
        "kafka_topic": "null",
        "topic_id": "null",
        "kafka_partition": "null",
        "start_offset": "null shift",
        "end_offset": "null shift",
        "accepted_count": "null shift",
        "rejected_count": "null shift",
        "absent_count": "null shift",
        "lost_count": "null shift",
        "replayed_offsets": "null",
        "contract": "null",
        "landed_at": "null",
        "files": "null",
    },
}
HOUR = 3_600_000


def folder_of(hdfs: Hdfs, landing: int) -> landings.Folder:
    """The folder that holds a landing."""
    return next(folder for folder in landings.current(hdfs).folders if folder.last >= landing)


def lines_of(hdfs: Hdfs, folder: tuple[str, ...]) -> list[dict[str, Any]]:
    """The lines in a folder, as JSON."""
    found: list[dict[str, Any]] = []
    for path, _ in hdfs.files(*folder):
        content = hdfs.content(*folder, path)
        content = gzip.decompress(content) if path.endswith(".gz") else content
        found += map(json.loads, content.decode().split("\n")[:-1])
    return found


def change(rows: list[dict[str, Any]], column: str, kind: str) -> None:
    """Change one row, or exchange a cell of two that differ there."""
    first = rows[0]
    if kind == "drop":
        rows.remove(first)
    elif kind == "double":
        rows.append(first)
    elif kind == "null":
        first[column] = None
    elif kind == "shift":
        first[column] += HOUR
    else:
        other = next(row for row in rows if row[column] != first[column])
        first[column], other[column] = other[column], first[column]


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        pytest.param(table, column, kind, marks=pytest.mark.long)
        for table, columns in RAW.items()
        for column, kinds in columns.items()
        for kind in kinds.split()
    ],
)
def test_a_mutant_of_a_landing_is_refused(
    table: str, column: str, kind: str, settings: Settings, hive: Hive, shown: Release, case: Case
) -> None:
    hdfs = Hdfs(settings)
    if table == "assessments":  # flat.messages was read from it once; what changes later is told by its checksum
        found = changed_in_place(settings, hdfs, shown, column, kind)
        case(f"Mutants of `raw.{table}`", KINDS[kind], "refused" if found else f"not seen: {column} {kind}")
        assert found
        return
    folder = folder_of(hdfs, 2 if table == "rejected_messages" else 1)  # the nasty messages are behind the sample
    rows = lines_of(hdfs, folder.of(table))
    change(rows, column, kind)
    hdfs.remove("mutants")
    hdfs.put_rows(rows, "mutants", "rows.json")
    named = landings.spec(landings.partition(folder))
    partition = f"ALTER TABLE raw.{table}_v1 PARTITION ({named}) SET LOCATION '{settings.warehouse_root}"
    hive.query(f"{partition}/mutants'")
    try:
        found = unmet(settings, f"raw.{table}_v1", shown.landing) or unmet(settings, "flat.attempts_v1", shown.landing)
    finally:
        hive.query(f"{partition}/{'/'.join(folder.of(table))}'")
        hdfs.remove("mutants")
    done = KINDS[kind] if kind != "shift" else "a number changed, in each column of numbers"
    case(f"Mutants of `raw.{table}`", done, "refused" if found else f"not seen: {column} {kind}")
    assert found


def changed_in_place(settings: Settings, hdfs: Hdfs, release: Release, column: str, kind: str) -> list[str]:
    """What the validation says of a landing's file in which one row is another."""
    folder = folder_of(hdfs, 1).of("assessments")
    name = hdfs.files(*folder)[0][0]
    path = hdfs.path(*folder, name)
    whole = hdfs.filesystem.cat_file(path)
    rows = [json.loads(line) for line in gzip.decompress(whole).decode().split("\n")[:-1]]
    change(rows, column, kind)
    try:
        hdfs.filesystem.pipe_file(path, gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode()))
        validate._record_files(hdfs, ledger.stamp("r"), Ledger(hdfs).tables(release.build_id).values())
        values = {"build_id": release.build_id, "landing": str(release.landing)}
        suite = dict(validate.suites(values))["ops.stored_files_v1"]
        return missed(settings, "ops.stored_files_v1", suite)
    finally:
        hdfs.filesystem.pipe_file(path, whole)
        validate._record_files(hdfs, ledger.stamp("r"), Ledger(hdfs).tables(release.build_id).values())
