"""Facts about the tables: names from the metastore, rows and nulls from the engine, files from HDFS.

The engine runs one statement per table, on the rows that readers see; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, StatementError
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.store import landings
from etl.store.ledger import Event, Ledger

AT_ONCE = 2  # sessions: while one statement is planned another one runs
RESULTS = """
    SELECT table_name, column_name, severity, expectation, is_met, observed, validated_at
    FROM ops.expectation_results
    WHERE run_id IN (SELECT MAX(run_id) FROM ops.expectation_results WHERE release = {})
"""


@dataclass(frozen=True)
class Built:
    """What the log of releases says of a table: when its release was published, by which engine, the mart's seconds."""

    published_at: str
    engine: str
    seconds: float
    sha256: str


@dataclass(frozen=True)
class Stored:
    """What HDFS holds: the published release, its tables, and the bytes of each file of a table."""

    published: Event | None = None
    built: Mapping[str, Built] = field(default_factory=dict)
    sizes: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Counted:
    """Rows of a table, and how many of them have no value in a column; `fault` is why they could not be counted."""

    rows: int | None = None
    nulls: Mapping[str, int] = field(default_factory=dict)
    fault: str = ""

    def null_share(self, column: str) -> float | None:
        """The share of rows without a value; None where there are no rows, or no count."""
        return self.nulls[column] / self.rows if self.rows and column in self.nulls else None


@dataclass(frozen=True)
class Answers:
    """What the engine and the metastore say; `names` are all tables and views there, None where no server answered."""

    names: frozenset[str] | None = None
    counted: Mapping[str, Counted] = field(default_factory=dict)
    results: Sequence[Mapping[str, Any]] = ()


def stored(settings: Settings, files: Iterable[SqlFile]) -> Stored:
    """List the files of the published release, of all landings and of the ops tables. Raises ServerError."""
    hdfs = Hdfs(settings)
    published = Ledger(hdfs).state().published
    versions = {row["table_name"]: row for row in published.table_versions} if published else {}
    built = {
        table: Built(published.decided_at, published.engine, row["seconds"], row["sha256"])
        for table, row in versions.items()
        if published
    }
    folders = landings.current(hdfs).folders
    landed = hdfs.files(landings.ROOT)
    sizes = {}
    for file in files:
        database, _, name = file.name.partition(".")
        if file.table in versions:
            marts = versions[file.table]["files"]
            entries = [(row["path"], row["bytes"]) for row in marts] or hdfs.files(*file.table.split("."))
        elif file.stage == "0_ops" and file.columns:
            entries = hdfs.files(database, file.path.stem)
        elif file.stage == "1_raw":
            places = {"/".join(folder.of(name)[1:]) for folder in folders}
            entries = [entry for entry in landed if entry[0].rpartition("/")[0] in places]
        else:
            continue
        sizes[file.table] = [size for _, size in entries]
    return Stored(published, built, sizes)


def answers(settings: Settings, files: Sequence[SqlFile], published: Event | None) -> Answers:
    """Ask for the names, for rows and nulls of every table, and for the newest validation of the published release.

    Raises ServerError where no server answers; a statement that fails affects its table alone.
    """
    databases = sorted({file.name.partition(".")[0] for file in files})
    with Hive(settings) as hive:
        names = frozenset(f"{database}.{name}" for database in databases for name in _names(hive, database))
        results: Sequence[Mapping[str, Any]] = ()
        if published and "ops.expectation_results" in names:
            results = hive.query(RESULTS.format(published.release)).dictionaries()
    waiting = [file for file in files if file.name in names]

    def run(part: Sequence[SqlFile]) -> dict[str, Counted]:
        with Hive(settings) as hive:
            return {file.table: _counted(hive, file) for file in part}

    counted: dict[str, Counted] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for counts in pool.map(run, filter(None, (waiting[place::AT_ONCE] for place in range(AT_ONCE)))):
            counted |= counts
    return Answers(names, counted, results)


def _names(hive: Hive, database: str) -> list[str]:
    try:
        return hive.tables(database)
    except StatementError:
        return []  # the database was not made yet


def _counted(hive: Hive, file: SqlFile) -> Counted:
    try:
        # A view may leave out columns of its table.
        visible = hive.query(f"SELECT * FROM {file.name} LIMIT 0").columns  # noqa: S608
        columns = [name for name, _ in file.columns if name in visible]
        counts = ", ".join(["COUNT(*)", *(f"COUNT(`{name}`)" for name in columns)])
        rows, *values = hive.query(f"SELECT {counts} FROM {file.name}").rows[0]  # noqa: S608
    except StatementError as error:
        return Counted(fault=str(error))
    return Counted(rows, {name: rows - count for name, count in zip(columns, values, strict=True)})
