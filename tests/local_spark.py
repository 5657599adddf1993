"""A warehouse of a few rows: Spark alone, with its metastore in memory and its tables in a local folder.

    warehouse.given("raw.assessments_v1", {"kafka_offset": 0, "payload": attempt("a")})
    warehouse.run("2_flat/messages_v1.sql", folder_landing=1)
    assert warehouse.query("SELECT kafka_offset FROM flat.messages_v1") == [(0,)]

Statements run as on the servers: the same jars, the same settings of a session, the same substitution of parameters.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from java_process import java_process
from py4j.protocol import Py4JJavaError

from etl.servers.hive_session import SESSION
from etl.sqlfile import SQL, SqlFile, files
from stack import parts
from stack.engines import OPENED

FIRST = {  # of every parameter: one raw folder, landing 1, no compaction, release 1
    "landing": 1,
    "release": 1,
    "folder_compaction": 0,
    "folder_landing": 1,
    "compaction": 0,
    "compacted": 0,
    "hashes": "none",
}
AS_TEXT = ("timestamp", "date", "decimal")  # types that JSON does not have


class Warehouse:
    """Tables of a few rows, in a folder."""

    def __init__(self, session: Any, root: Path, columns: Mapping[str, str], objects: dict[str, str]) -> None:
        self._session, self._root, self._columns = session, root, columns
        self._objects = objects  # VIEW or TABLE by name: what there is by now
        for pointer in ("published", "candidate"):  # views cannot be made without them
            self.run(f"0_ops/{pointer}.sql")

    def given(self, name: str, *rows: Mapping[str, Any]) -> None:
        """Let a table or view hold these rows; columns that a row leaves out are NULL.

        Rows of a raw table are lines of JSON in the folder of its partition, of another or a view they are a view.
        """
        database, _, table = name.partition(".")
        if database == "raw" and table[:-1].endswith("_v"):
            self._given_raw(f"1_raw/{table}.sql", name, rows)
            return
        columns = self._columns[name.replace("candidate.", "flat.")]
        lines = ", ".join(f"({quoted(json.dumps(row))})" for row in rows)
        values = f"FROM VALUES {lines or '(NULL)'} AS given (line){'' if rows else ' WHERE FALSE'}"
        read = f"FROM_JSON(line, {quoted(columns)}, MAP('mode', 'FAILFAST'))"
        self._sql(f"CREATE DATABASE IF NOT EXISTS {database}")
        self._objects[name] = "VIEW"
        self._sql(f"CREATE OR REPLACE VIEW {name} AS SELECT r.* FROM (SELECT {read} AS r {values}) AS rows")

    def _given_raw(self, place: str, name: str, rows: tuple[Mapping[str, Any], ...]) -> None:
        self.run(place)
        for row in rows:
            folder = (row.get("compaction", 0), row.get("last_landing", row.get("landing", 1)))
            path = (
                self._root / f"raw/{name.partition('.')[2]}/compaction={folder[0]}/last_landing={folder[1]}/lines.json"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"landing": 1, **row}) + "\n")
            partition = f"compaction = {folder[0]}, last_landing = {folder[1]}"
            self._sql(f"ALTER TABLE {name} ADD IF NOT EXISTS PARTITION ({partition})")

    def run(self, place: str, **values: Any) -> None:
        """Run a file of sql/ with these parameters; those that are left out are as in a first build."""
        file = SqlFile.read(SQL / place)
        self._objects |= {file.name: "VIEW"} | ({file.table: "TABLE"} if file.columns else {})
        for statement in file.statements(parameters(file, self._root, values)):
            self._sql(statement)

    def show_candidate(self, place: str, **values: Any) -> None:
        """Make the view of a file in the database candidate, which looks at ops.candidate."""
        file = SqlFile.read(SQL / place)
        create, _ = file.view(parameters(file, self._root, values), is_candidate=True)
        self._objects[f"candidate.{file.name.partition('.')[2]}"] = "VIEW"
        self._sql("CREATE DATABASE IF NOT EXISTS candidate")
        self._sql(create)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query, sorted; times, dates and decimals are text."""
        rows = [tuple(row.values()) for row in self._rows(statement)]
        return sorted(rows, key=lambda row: [(value is not None, value) for value in row])

    def report(self, name: str) -> list[dict[str, Any]]:
        """The rows of a question of sql/4_reports, in its order."""
        (statement,) = SqlFile.read(SQL / f"4_reports/{name}.sql").statements()
        return self._rows(statement)

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        kinds = [(field.name(), field.dataType().typeName()) for field in self._sql(statement).schema().fields()]
        assert len({name for name, _ in kinds}) == len(kinds), f"two columns have one name: {kinds}"
        columns = ", ".join(
            f"CAST(`{name}` AS STRING) AS `{name}`" if kind.startswith(AS_TEXT) else f"`{name}`" for name, kind in kinds
        )
        line = f"TO_JSON(STRUCT({columns}), MAP('ignoreNullFields', 'false')) AS line"
        lines = self._sql(f"SELECT {line} FROM ({statement}) AS asked").collectAsList()
        return [dict(json.loads(row.getString(0))) for row in lines]

    def _sql(self, statement: str) -> Any:
        return execute(self._session, statement)


def parameters(file: SqlFile, root: Path, values: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that the file declares: those given, the others as in a first build."""
    own_parameters = {"warehouse_root": f"file://{root}", **FIRST, **values}
    return {name: str(own_parameters[name]) for name in file.parameters}


def execute(session: Any, statement: str) -> Any:
    """Run a statement; an error of Spark is its message without the Java trace."""
    try:
        return session.sql(statement)
    except Py4JJavaError as error:
        raise AssertionError(f"{error.java_exception.getMessage()}\n{statement}") from None


def quoted(text: str) -> str:
    """A text as Spark's SQL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def declared() -> dict[str, str]:
    """The columns of every table and view, as the files declare them; a mere view has those of what it reads first."""
    columns: dict[str, str] = {}
    for file in files("[0-35]_*"):
        own = ", ".join(f"`{name}` {kind}" for name, kind in file.columns)
        columns[file.table] = columns[file.name] = own or columns.get(next(iter(file.reads), ""), "")
    return columns


class LocalSpark:
    """Spark in a Java process of its own, with one thread."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._columns = declared()
        self._objects: dict[str, str] = {}

    def warehouse(self, root: Path) -> Warehouse:
        """An empty warehouse in a folder; what an earlier one held is gone."""
        for name, kind in self._objects.items():
            execute(self._session, f"DROP {kind} IF EXISTS {name}")
        self._objects.clear()
        return Warehouse(self._session, root, self._columns, self._objects)


@contextlib.contextmanager
def local_spark(folder: Path) -> Iterator[LocalSpark]:
    """Start Spark; everything that it writes is in the folder."""
    parts.ensure_jars(lambda _: None)
    settings = {
        **SESSION["spark"],
        "spark.master": "local[1]",
        "spark.app.name": "tests",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": folder / "tmp",
        "spark.sql.warehouse.dir": folder / "managed",
        "spark.sql.shuffle.partitions": 1,
        "spark.sql.adaptive.enabled": "false",
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:tests;create=true",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        "spark.hadoop.hive.stats.autogather": "false",
    }
    log = os.open(folder / "spark.log", os.O_CREAT | os.O_WRONLY)
    classes = [parts.SHARE / "spark/*", parts.pyspark_jars() / "*"]
    options = ["-Xmx1g", *OPENED, f"-Djava.io.tmpdir={folder}", f"-Dderby.system.home={folder}"]
    try:
        with java_process(classes, *options, errors=log) as java:
            builder = java.jvm.org.apache.spark.sql.SparkSession.builder()
            for name, value in settings.items():
                builder = builder.config(name, str(value))
            yield LocalSpark(builder.enableHiveSupport().getOrCreate())
    finally:
        os.close(log)
