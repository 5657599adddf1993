"""A SQL file as the warehouse sees it: a header, declared parameters and statements. Pure: no server is asked.

    -- flat.attempts: one row per exam attempt.
    -- Reads: raw.assessments
    -- Parameters: warehouse_root text, landing integer, build_id identifier

The first line names the table and says what it holds. `Key: value` lines follow; a line without a key goes
on with the one above. Parameters stand in the text as `${name}`, in beeline as `--hivevar name=value`. Here they
are put in on the client, each checked by its type and written so that it stays inside its quotes; no other `${...}`
reaches a server, which would put in its own variables, `${env:...}` among them.
"""

from __future__ import annotations

import bisect
import datetime
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from etl.errors import UsageError
from etl.settings import PROJECT

SQL = PROJECT / "sql"
TITLE = re.compile(r"^-- (?P<name>[a-z_]+\.[a-z0-9_]+): (?P<title>.+)$")
KEY = re.compile(r"^-- (?P<key>[A-Z][a-z]+): (?P<value>.+)$")
VIEW = re.compile(r"CREATE OR REPLACE VIEW\s+")
VARIABLE = re.compile(r"\$\{(\w+)\}")
TYPES = {
    "identifier": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}"),
    "integer": re.compile(r"-?[0-9]{1,18}"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "text": re.compile(r"[^\ud800-\udfff]{0,1000}", re.DOTALL),  # half a surrogate pair is no text
}
QUOTED = {"date", "text"}  # types whose values mean something else without quotes
# What could end a quoted text, begin an escape or a variable, or break the line: both engines read \uXXXX in quotes.
ESCAPED = re.compile("['\"\\\\$`\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class SqlFile:
    """One file under sql/: `stage` is its folder, `name` the reader's name of what it makes (flat.attempts)."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> SqlFile:
        """Read a file; UsageError where it has no title line."""
        file = cls(path, path.read_text(encoding="utf-8"))
        if not TITLE.match(file.text.partition("\n")[0]):
            raise UsageError(f"{path} does not begin with `-- database.table: what it holds`", "add the title line")
        return file

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
        """What the title says behind the name."""
        return self._title["title"]

    @cached_property
    def _title(self) -> re.Match[str]:
        match = TITLE.match(self.text.partition("\n")[0])
        if match is None:
            raise UsageError(f"{self.path} has no title line", "begin it with `-- database.table: what it holds`")
        return match

    @property
    def table(self) -> str:
        """The versioned table that the file fills: flat.attempts_v1."""
        return f"{self.name.partition('.')[0]}.{self.path.stem}"

    @property
    def version(self) -> int:
        """The number behind `_v` in the file's name, 0 where it has none."""
        match = re.search(r"_v([0-9]+)$", self.path.stem)
        return int(match[1]) if match else 0

    @cached_property
    def sha256(self) -> str:
        """Of what the file says: its tokens, so that comments and line breaks do not count."""
        text = VARIABLE.sub(r"__\1__", self.text)
        said = " ".join(text[token.start : token.end + 1] for token in _tokens(text))
        return hashlib.sha256(said.encode()).hexdigest()

    @cached_property
    def header(self) -> dict[str, str]:
        """The `Key: value` lines on top."""
        found: dict[str, str] = {}
        key = ""
        for line in self.text.split("\n")[1:]:
            if not line.startswith("--"):
                break
            if match := KEY.match(line):
                key = match["key"]
                found[key] = match["value"].strip()
            elif key:
                found[key] += " " + line.removeprefix("--").strip()
        return found

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
        """Where it lies, from the project folder on: sql/2_flat/attempts_v1.sql."""
        return f"sql/{self.stage}/{self.path.name}"

    def statements(self, values: Mapping[str, str] | None = None) -> list[str]:
        """The statements with every `${name}` put in; UsageError as in the function of the same name."""
        return statements(self.text, self.parameters, values or {}, str(self.path))

    def views(self, values: Mapping[str, str] | None = None) -> list[str]:
        """What makes the file's views, so that no reader ever misses one.

        Spark replaces a view by dropping it and making it anew; ALTER VIEW is one call to the metastore.
        """
        found = [VIEW.sub("", one) for one in self._statements(values, is_view=True)]
        return [f"{verb} {one}" for one in found for verb in ("CREATE VIEW IF NOT EXISTS", "ALTER VIEW")]

    def tables(self, values: Mapping[str, str] | None = None) -> list[str]:
        """The statements that are not views: they make the table, and fill it where the file does."""
        return self._statements(values, is_view=False)

    def _statements(self, values: Mapping[str, str] | None, is_view: bool) -> list[str]:
        chosen = ";\n".join(one for one in split(self.text) if bool(VIEW.match(one)) is is_view)
        return statements(chosen, self.parameters, values or {}, str(self.path))

    @staticmethod
    def asks(statement: str) -> bool:
        """Whether a statement is a query: in a file that makes a table, it asks which partitions to write anew."""
        return "INSERT" not in statement and isinstance(sqlglot.parse_one(statement, read="hive"), exp.Select)

    @cached_property
    def columns(self) -> list[tuple[str, str]]:
        """(name, type) of every column of the CREATE TABLE, partition columns last, types in lower case."""
        for statement in split(VARIABLE.sub("x", self.text)):
            tree = sqlglot.parse_one(statement, read="hive") if "TABLE" in statement[:60].upper() else None
            if isinstance(tree, exp.Create) and tree.kind == "TABLE":
                return [
                    (column.name, column.args["kind"].sql("hive").lower().replace(" ", ""))
                    for column in tree.find_all(exp.ColumnDef)
                    if not column.find_ancestor(exp.DataType)
                ]
        return []


def statements(text: str, parameters: Mapping[str, str], values: Mapping[str, str], where: str) -> list[str]:
    """The statements of a text, ready to be sent: with values for its `${name}` and no other `${...}`.

    Raises UsageError for a parameter that is not declared, not given or not of its type, and for a text that
    cannot be cut into statements.
    """
    found = split(substitute(text, parameters, values, where))
    for statement in found:
        if left := re.search(r"\$\{[^}]{0,40}\}?", statement):
            raise UsageError(
                f"{where} holds {left[0]!r}, which a server would replace by what it knows",
                "take it out, or declare a parameter",
            )
    return found


def substitute(text: str, parameters: Mapping[str, str], values: Mapping[str, str], where: str) -> str:
    """Put checked values in for `${name}`, each written for the quotes it stands in; comments are left alone."""
    matches = list(VARIABLE.finditer(text))
    tokens = _tokens(_masked(text)) if matches else []
    starts = [token.start for token in tokens]
    parts, at = [], 0
    for match in matches:
        number = bisect.bisect_right(starts, match.start()) - 1
        if number < 0 or tokens[number].end < match.start():
            continue  # in a comment
        quote = text[starts[number]] if text[starts[number]] in "'\"`" else ""
        parts += [text[at : match.start()], _written(match[1], quote, parameters, values, where)]
        at = match.end()
    return "".join([*parts, text[at:]])


def _written(name: str, quote: str, parameters: Mapping[str, str], values: Mapping[str, str], where: str) -> str:
    """The value of a parameter as it stands in the statement, between such quotes ("" for none)."""
    if name not in parameters:
        raise UsageError(f"{where} uses ${{{name}}} without declaring it", "declare it in its Parameters line")
    kind = parameters[name]
    if kind in QUOTED and quote in ("", "`"):
        raise UsageError(
            f"{where} has ${{{name}}}, of type {kind}, {'in back quotes' if quote else 'without quotes'}",
            f"write '${{{name}}}'",
        )
    if name not in values:
        raise UsageError(f"{where} needs the parameter {name}", f"give it, of type {kind}")
    value = checked(name, kind, str(values[name]))
    if kind == "text":
        return ESCAPED.sub(lambda one: f"\\u{ord(one[0]):04x}", value)
    return value if quote else value.replace("-", " -")  # behind a minus, another one would begin a comment


def checked(name: str, kind: str, value: str) -> str:
    """The value itself when it is one of its type; UsageError otherwise."""
    fits = TYPES[kind].fullmatch(value) is not None
    if fits and kind == "date":
        try:
            datetime.date.fromisoformat(value)
        except ValueError:
            fits = False
    if not fits:
        raise UsageError(f"parameter {name} cannot be {value[:80]!r}", f"it takes a value of type {kind}")
    return value


def _masked(text: str) -> str:
    """The text with a word of the same length in place of each variable."""
    return VARIABLE.sub(lambda match: "_" * len(match[0]), text)


def _tokens(text: str) -> list[sqlglot.Token]:
    """By sqlglot's tokenizer: it knows strings, comments, back quotes and hints. UsageError for an open quote."""
    try:
        return sqlglot.tokenize(text, read="hive")
    except SqlglotError as error:
        raise UsageError(f"the SQL cannot be read: {error}", "look for a quote that is not closed") from error


def split(text: str) -> list[str]:
    """The statements of a text: what stands between semicolons that are code, from its first to its last token."""
    found: list[str] = []
    start: int | None = None
    end = 0
    for token in _tokens(_masked(text)):
        if token.token_type == TokenType.SEMICOLON:
            if start is not None:
                found.append(text[start:end])
            start = None
            continue
        start = token.start if start is None else start
        end = token.end + 1
    return [*found, text[start:end]] if start is not None else found


def files(stages: str = "[0-9]_*") -> list[SqlFile]:
    """The files of the stages that match, in stage order; within a stage each behind those that it reads."""
    found = [SqlFile.read(path) for path in sorted(SQL.glob(f"{stages}/*.sql"))]
    by_name = {name: file for file in found for name in (file.name, file.table)}

    def depth(file: SqlFile) -> int:
        near = (by_name[name] for name in file.reads if name in by_name and by_name[name].stage == file.stage)
        return max((depth(one) + 1 for one in near), default=0)

    return sorted(found, key=lambda file: (file.stage, depth(file)))


def versions(name: str) -> list[SqlFile]:
    """The files of what readers know by one name, the newest version last."""
    return sorted((file for file in files() if file.name == name), key=lambda file: file.version)
