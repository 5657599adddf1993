"""Databases, tables, partitions and views in the metastore, which is a cache of HDFS and of the SQL files.

The view ops.metastore holds a hash of the statements that made each object, so that one query finds which of them
changed. `repair` recreates what the hashes do not show, such as a table that somebody dropped.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from etl import sqlfile
from etl.errors import UsageError
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, StatementError
from etl.settings import Settings
from etl.sqlfile import SqlFile
from etl.sqltext import in_quotes
from etl.store import flat_folders, landings
from etl.store.landings import Folder, Generation

POINTERS = ("published", "candidate")
DATABASES = ("ops", "raw", "flat", "marts", "candidate", flat_folders.STAGING)
RAW = "1_raw"
JSON_COMMENT = "from deserializer"  # HiveServer2's comment of every JSON column
LONGEST = 20_000  # characters of hashes: a metastore on Derby holds 32,700 of a view, and a line break takes six


class Schema:
    """The metastore's objects of one warehouse, through one session."""

    def __init__(self, settings: Settings, hive: Hive, hdfs: Hdfs) -> None:
        self.values = {"warehouse_root": settings.warehouse_root}
        self.root = in_quotes(settings.warehouse_root)  # as a statement spells it
        self.hive = hive
        self.hdfs = hdfs
        self._objects: dict[str, str] = {}
        self._saved: dict[str, str] = {}
        self._names: dict[str, set[str]] = {}  # of the tables and views in a database, once listed
        self.published = (0, 0)  # release and landing that readers see
        self._read()

    def _read(self) -> None:
        """Read what the metastore holds, by one query."""
        try:
            objects, *published = self.hive.query(
                "SELECT metastore.hashes, published.release, published.landing "
                "FROM ops.metastore AS metastore CROSS JOIN ops.published AS published"
            ).rows[0]
        except StatementError:
            return  # an empty metastore
        self._objects = dict(pair.split("=", 1) for pair in objects.split("\n") if "=" in pair)
        self._saved = dict(self._objects)
        self.published = (published[0], published[1])

    def __contains__(self, name: str) -> bool:
        return name in self._objects

    def saved(self, prefix: str) -> set[str]:
        """The objects of which ops.metastore has a hash and whose names begin so, also those that `forget` ignores."""
        return {name for name in self._saved if name.startswith(prefix)}

    def discard(self, *names: str) -> None:
        """Drop the hashes of objects that are about to go, or are gone."""
        for name in names:
            self._objects.pop(name, None)

    def forget(self) -> None:
        """Ignore the hashes of ops.metastore, so that everything is recreated."""
        self._objects = {}
        self.list_all()

    def list_all(self) -> None:
        """List all databases, before HDFS is read, so that the views that follow from it come at once."""
        for database in DATABASES:
            self.listed(database)

    def save(self) -> None:
        """Save the hashes of what the metastore holds now, if they changed; those that do not fit are sent again.

        The names of what customers have sort behind all others, so that theirs are left out first.
        """
        if self._objects != self._saved:
            objects = "\n".join(f"{name}={value}" for name, value in sorted(self._objects.items()))
            objects = f"{objects}\n"[: LONGEST + 1].rpartition("\n")[0]
            create, alter = self._file("metastore").view({"hashes": objects})
            self._run([alter] if self._saved else [create, alter])
            self._saved = dict(self._objects)

    def ops(self) -> None:
        """Create the databases, the ops tables and, where they are missing, the pointers."""
        self.make("databases", [f"CREATE DATABASE IF NOT EXISTS {name}" for name in DATABASES])
        for file in sqlfile.files("0_ops"):
            if file.columns:
                self.table(file)
                self.view(file.name, file.view(self.values))
        if "ops.pointers" not in self._objects:
            for name in POINTERS:
                self._run(self._file(name).view({"release": "0", "landing": "0"})[:1])
            self._objects["ops.pointers"] = "1"

    def raw(self, generation: Generation, recheck: Callable[[Sequence[Folder]], None]) -> Generation:
        """Make the raw tables, their partitions and, last, their views; returns the generation that these show.

        `recheck` raises where it refuses a new version. Where another machine compacts meanwhile, it starts again: the
        views may show folders that `clean` removes next.
        """
        files = sorted(sqlfile.files(RAW), key=lambda file: file.version)
        for file in files:
            is_new = file.version > 1 and file.table not in self._objects
            self.table(file)
            if is_new:
                try:
                    recheck(generation.folders)
                except UsageError:
                    self.drop(file.table)
                    raise
            places = [(folder, folder.of(file.name.partition(".")[2])) for folder in generation.folders]
            self.partitions(file.table, generation, places)
        landings.refuse_replaced(self.hdfs, generation)
        for file in files:
            self.view(file.name, file.view(self.values | generation.parameters))
        current = landings.current(self.hdfs)
        return generation if current.compaction == generation.compaction else self.raw(current, recheck)

    def flat_partitions(self, table: str, generation: Generation, landing: int) -> None:
        """Register the flat folders of a table up to a landing, all of which are filled."""
        self.partitions(table, generation, [(raw, flat_folders.place(table, raw)) for raw in generation.up_to(landing)])

    def partitions(self, table: str, generation: Generation, places: Sequence[tuple[Folder, tuple[str, ...]]]) -> None:
        """Register folders as partitions of a table, without a query about those registered before."""
        key = f"partitions {table}"
        last = max((folder.last for folder, _ in places), default=0)
        compaction, _, registered = self._objects.get(key, "").partition(":")
        is_same = compaction == str(generation.compaction)
        if is_same and int(registered) >= last:
            return
        if is_same:
            places = [(folder, place) for folder, place in places if folder.last > int(registered)]
        elif places:
            there = self.partition_names(table)
            places = [(folder, place) for folder, place in places if folder.partition not in there]
        texts = [f"PARTITION ({folder.partition.replace('/', ', ')}) LOCATION '{self.root}/{'/'.join(place)}'"
                 for folder, place in places]  # fmt: skip
        for start in range(0, len(texts), 200):
            self.hive.query(f"ALTER TABLE {table} ADD IF NOT EXISTS {' '.join(texts[start : start + 200])}")
        self._objects[key] = f"{generation.compaction}:{last}"

    def partition_names(self, table: str) -> set[str]:
        """The names of a table's partitions."""
        return {row[0] for row in self.hive.query(f"SHOW PARTITIONS {table}").rows}

    def views(self, files: Iterable[SqlFile], generation: Generation, is_candidate: bool) -> None:
        """Make the views of flat and marts, for readers or in the database candidate."""
        for file in files:
            name = sqlfile.candidate_text(file.name) if is_candidate else file.name
            self.view(name, file.view(self.values | generation.parameters, is_candidate))

    def point(self, pointer: str, release: int, landing: int) -> None:
        """Move a pointer: one call to the metastore that changes all its views at once."""
        self._run(self._file(pointer).view({"release": str(release), "landing": str(landing)})[1:])

    def table(self, file: SqlFile, is_released: bool = True) -> None:
        """Create a table, or correct its comments; one never released, or of JSON with more columns, is recreated."""
        if not self.make(file.table, file.tables(self.values)):
            return
        there = self._described(file.table)
        columns = [(name, _plain(kind)) for name, kind in file.columns]
        if [(name, kind) for name, kind, _ in there] != columns:
            is_grown = file.stage[0] in "01" and {(name, kind) for name, kind, _ in there} < set(columns)  # JSON
            if is_released and not is_grown:
                raise UsageError(
                    f"{file.place} changes the columns of {file.table}, which was released",
                    f"undo the change and put it into a new file {file.following}",
                )
            # The view has the columns of when it was altered. A command that is killed here leaves no such hash.
            self.discard(file.table, f"partitions {file.table}", file.name)
            self.save()
            self.hive.query(f"DROP TABLE {file.table}")
            if not is_grown:
                self.hdfs.remove(*file.table.split("."))
            self.make(file.table, file.tables(self.values))
            return
        for name, _, comment in there:
            if comment not in (file.comments.get(name, comment), JSON_COMMENT):
                change = f"`{name}` `{name}` {dict(file.columns)[name]} COMMENT '{in_quotes(file.comments[name])}'"
                self.hive.query(f"ALTER TABLE {file.table} CHANGE COLUMN {change}")

    def drop(self, table: str, views: Sequence[str] = ()) -> None:
        """Forget a table, whose files stay, and its views."""
        self._run([*(f"DROP VIEW IF EXISTS {name}" for name in views), f"DROP TABLE IF EXISTS {table}"])
        self.discard(*views, table, f"partitions {table}")
        for names in self._names.values():
            names.difference_update({table, *views})

    def retire(self, retired: Mapping[str, str]) -> None:
        """Drop the tables that were retired, with their views; a view that a later version has stays.

        The metastore says which are there: the hashes miss what a killed command, or another machine's, made again.
        """
        if retired:
            self._names = {}  # as they are now, each database once
        for table, view in retired.items():
            views = [] if not view or sqlfile.versions(view) else [view, sqlfile.candidate_text(view)]
            if any(name in self.listed(name.partition(".")[0]) for name in (table, *views)):
                self.drop(table, views)

    @staticmethod
    def _file(pointer: str) -> SqlFile:
        return SqlFile.read(sqlfile.SQL / "0_ops" / f"{pointer}.sql")

    def _described(self, table: str) -> list[tuple[str, str, str]]:
        """(name, type, comment) of each column, partition columns last."""
        rows = self.hive.query(f"DESCRIBE {table}").rows
        end = next((number for number, row in enumerate(rows) if not row[0] or row[0].startswith("#")), None)
        return [(row[0].strip(), _plain(row[1]), row[2] or "") for row in rows[:end]]

    def make(self, name: str, statements: Sequence[str], needed: Sequence[str] | None = None) -> bool:
        """Run the statements of an object, or only `needed`, unless the same ones ran before; whether they ran."""
        digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]
        if self._objects.get(name) == digest:
            return False
        self._run(statements if needed is None else needed)
        self._objects[name] = digest
        return True

    def view(self, name: str, statements: tuple[str, str]) -> None:
        """Create a view or alter its text, by one call to the metastore each."""
        create, alter = statements
        if name not in self._objects and name not in self.listed(name.partition(".")[0]):
            self.make(name, [create, alter], [create])
        else:
            self.make(name, [create, alter], [alter])

    def listed(self, database: str) -> set[str]:
        """Its tables and views; none where the database itself is gone."""
        if database not in self._names:
            self._names[database] = set()
            with contextlib.suppress(StatementError):
                self._names[database] = {f"{database}.{name}" for name in self.hive.tables(database)}
        return self._names[database]

    def _run(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self.hive.query(statement)


def _plain(kind: str) -> str:
    return kind.lower().replace(" ", "").replace("`", "")
