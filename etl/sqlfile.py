"""A SQL file as the warehouse sees it: a header, declared parameters and statements. Pure: no server is called.

    -- marts.exams: one row per exam, with how often it was taken and how hard it is.
    -- Reads: candidate.attempts, candidate.superseded_messages, ops.candidate
    -- Parameters: warehouse_root text, release integer

The first line names the table and says what it holds. `Key: value` lines follow; a line without a key continues
the one above. Parameters are written as `${name}` and substituted by etl/sqltext.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from sqlglot import exp

from etl.errors import UsageError
from etl.settings import PROJECT
from etl.sqltext import TYPES, VARIABLE, parsed, renamed, split, statements, tokens

SQL = PROJECT / "sql"
TITLE = re.compile(r"^-- (?P<name>[a-z_]+\.[a-z0-9_]+): (?P<title>.+)$")
KEY = re.compile(r"^-- (?P<key>[A-Z][a-z]+): (?P<value>.+)$")
CUSTOMERS = "5_customers"  # part of a build where there are customers
VIEW = re.compile(r"CREATE OR REPLACE VIEW\s+")
# Created twice by a build: for readers, and in the database candidate, which shows the release being built.
POINTERS = {"ops.published": "ops.candidate"}


@dataclass(frozen=True)
class SqlFile:
    """One file under sql/: `stage` is its folder, `name` the name that readers use (flat.attempts)."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> SqlFile:
        """Read a file; its name and title raise UsageError where it has no title line."""
        return _parsed(path, path.read_text(encoding="utf-8"))

    @property
    def stage(self) -> str:
        """The stage folder, such as 2_flat."""
        return self.path.parent.name

    @property
    def name(self) -> str:
        """The name in the title: the view that readers use, or reports.question."""
        return self._title["name"]

    @property
    def title(self) -> str:
        """What the title says after the name."""
        return self._title["title"]

    @cached_property
    def _title(self) -> re.Match[str]:
        match = TITLE.match(self.text.partition("\n")[0])
        if match is None:
            raise UsageError(
                f"{self.path} does not begin with `-- database.table: what it holds`", "add the title line"
            )
        return match

    @property
    def table(self) -> str:
        """The versioned table that the file fills: flat.attempts_v1."""
        return f"{self.name.partition('.')[0]}.{self.path.stem}"

    @property
    def version(self) -> int:
        """The number after `_v` in the file's name, 0 where it has none."""
        match = re.search(r"_v([0-9]+)$", self.path.stem)
        return int(match[1]) if match else 0

    @cached_property
    def sha256(self) -> str:
        """Of what makes rows: the columns with their types, the queries and the views; no comment, no line break."""
        parts = [f"{name} {kind}" for name, kind in self.columns]
        for statement in split(self.text):
            if not statement.startswith(("CREATE DATABASE", "CREATE EXTERNAL TABLE")):
                text = VARIABLE.sub(r"__\1__", statement)
                parts.append(" ".join(text[token.start : token.end + 1] for token in tokens(text)))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @cached_property
    def header(self) -> dict[str, str]:
        """The `Key: value` lines on top."""
        keys: dict[str, str] = {}
        key = ""
        for line in self.text.split("\n")[1:]:
            if not line.startswith("--"):
                break
            if match := KEY.match(line):
                key = match["key"]
                keys[key] = match["value"].strip()
            elif key:
                keys[key] += " " + line.removeprefix("--").strip()
        return keys

    @property
    def reads(self) -> list[str]:
        """The tables and views that the header says it reads."""
        return [name.strip() for name in self.header.get("Reads", "").split(",") if "." in name]

    @property
    def parameters(self) -> dict[str, str]:
        """The declared parameters: name to type."""
        declared = self.header.get("Parameters", "none")
        if declared == "none":
            return {}
        pairs = [pair.split() for pair in declared.split(",")]
        if any(len(pair) != 2 or pair[1] not in TYPES for pair in pairs):
            raise UsageError(
                f"{self.path} declares parameters as {declared!r}",
                f"write `name type` with commas; types are {', '.join(TYPES)}",
            )
        return {name: kind for name, kind in pairs}

    @property
    def following(self) -> str:
        """The name of the file that its next version would be."""
        return f"{self.path.stem.rpartition('_v')[0]}_v{self.version + 1}.sql"

    @property
    def place(self) -> str:
        """Its path from the project folder on: sql/2_flat/attempts_v1.sql."""
        return f"sql/{self.stage}/{self.path.name}"

    def statements(self, values: Mapping[str, str] | None = None) -> list[str]:
        """The statements with every `${name}` substituted; UsageError as in the function of the same name."""
        return statements(self.text, self.parameters, values or {}, str(self.path))

    def view(self, values: Mapping[str, str] | None = None, is_candidate: bool = False) -> tuple[str, str]:
        """The statements that create and alter the file's view; with `is_candidate` in the database candidate.

        Spark replaces a view by dropping and creating it; ALTER VIEW is one call to the metastore, so that no
        reader ever misses it.
        """
        (statement,) = self._statements("CREATE OR REPLACE VIEW", values)
        body = VIEW.sub("", candidate_text(statement) if is_candidate else statement)
        return f"CREATE VIEW IF NOT EXISTS {body}", f"ALTER VIEW {body}"

    def tables(self, values: Mapping[str, str] | None = None) -> list[str]:
        """The statement that creates the table; none for a file that has only a view."""
        return self._statements("CREATE EXTERNAL TABLE", values)

    def fills(self, values: Mapping[str, str] | None = None) -> list[str]:
        """The statements that write rows."""
        return self._statements(("WITH", "INSERT"), values)

    def _statements(self, start: str | tuple[str, ...], values: Mapping[str, str] | None) -> list[str]:
        chosen = ";\n".join(statement for statement in split(self.text) if statement.startswith(start))
        return statements(chosen, self.parameters, values or {}, str(self.path))

    @property
    def database(self) -> str:
        """The database of its table and view."""
        return self.name.partition(".")[0]

    @property
    def is_flat(self) -> bool:
        """Whether builds fill its table folder by folder."""
        return self.stage.startswith("2") and bool(self.columns)

    @property
    def is_computed(self) -> bool:
        """Whether builds compute its table as a whole, into a partition of the release: marts and customers' tables."""
        return self.stage in ("3_marts", CUSTOMERS)

    @property
    def is_per_customer(self) -> bool:
        """Whether its table holds a partition per customer."""
        return "customer" in dict(self.columns) and "customer" not in self.comments

    @cached_property
    def _definitions(self) -> list[exp.ColumnDef]:
        """The columns of the CREATE TABLE with those that partition it last; none for a file that has only a view."""
        for statement in split(VARIABLE.sub("x", self.text)):
            if statement.startswith("CREATE EXTERNAL TABLE"):
                tree = parsed(statement, str(self.path))
                return [column for column in tree.find_all(exp.ColumnDef) if not column.find_ancestor(exp.DataType)]
        return []

    @cached_property
    def columns(self) -> list[tuple[str, str]]:
        """(name, type) of every column, partition columns last, types in lower case."""
        return [(column.name, column.args["kind"].sql("hive").lower().replace(" ", "")) for column in self._definitions]

    @cached_property
    def comments(self) -> dict[str, str]:
        """The COMMENT of every column that does not partition the table."""
        tables = [column for column in self._definitions if not column.find_ancestor(exp.PartitionedByProperty)]
        constraints = {column.name: column.find(exp.CommentColumnConstraint) for column in tables}
        return {name: comment.this.this for name, comment in constraints.items() if comment}


@cache
def _parsed(path: Path, text: str) -> SqlFile:
    """One object per text: a command reads the same files many times, and tokenizing them is most of that."""
    return SqlFile(path, text)


def files(stages: str = "[0-9]_*") -> list[SqlFile]:
    """The files of the stages that match, in stage order; within a stage each after those that it reads."""
    read = [SqlFile.read(path) for path in sorted(SQL.glob(f"{stages}/*.sql"))]
    by_name = {name: file for file in read for name in (file.name, file.table)}

    def depth(file: SqlFile, path: tuple[str, ...] = ()) -> int:
        if file.place in path:
            circle = [*path[path.index(file.place) :], file.place]
            raise UsageError(f"these files read each other: {' -> '.join(circle)}", "remove a name from a Reads line")
        near = {by_name[name] for name in file.reads if name in by_name} - {file}
        below = (depth(other, (*path, file.place)) + 1 for other in near if other.stage == file.stage)
        return max(below, default=0)

    return sorted(read, key=lambda file: (file.stage, depth(file)))


def _readers_names() -> Mapping[str, str]:
    """The name in candidate of each view of flat and marts, by the readers' name."""
    return _names(tuple(sorted(SQL.glob("[235]_*/*.sql"))))


@cache
def _names(paths: tuple[Path, ...]) -> Mapping[str, str]:
    names = [SqlFile.read(path).name for path in paths]
    return {name: f"candidate.{name.partition('.')[2]}" for name in names} | POINTERS


def candidate_text(text: str) -> str:
    """SQL that names what readers see, as SQL that names the release being built."""
    return renamed(text, _readers_names())


def published_text(text: str) -> str:
    """SQL that names the release being built, as SQL that names what readers see."""
    return renamed(text, {candidate: name for name, candidate in _readers_names().items()})


def versions(name: str) -> list[SqlFile]:
    """The files of what readers know by one name, the newest version last."""
    return sorted((file for file in files() if file.name == name), key=lambda file: file.version)
