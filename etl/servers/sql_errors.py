"""A server's error about a statement, for people: the cause in one line, the place in the statement, a near name.

Spark and HiveServer2 put advice about settings, error classes, plans and traces around a cause; none of it comes along.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len

from etl import sqlfile
from etl.errors import WarehouseError
from etl.terminal import escaped

MOST_CHARACTERS, SIDE_CHARACTERS = 400, 60  # of a cause; of the statement's line on either side of the place
READ_CHARACTERS = 10_000  # of a server's text, which may be a whole plan or hold a value of megabytes
CLASSES = re.compile(r"(?:[\w$.]+(?:Exception|Error)(?: \[Error \d+\])?:? )+")
SPARK_CLASS = re.compile(r"\[[A-Z][A-Z0-9_]*(?:\.[A-Z][A-Z0-9_]*)*\] ")
PLACE = re.compile(r"[;,]? ?\(?\b[Ll]ine (\d+)(?::|,? pos )(\d+)\)?;? ?")
BEHIND = re.compile(r"\n\s*(?:at |== SQL|;|'[A-Z]|\+- )|;\s*\n")  # a trace, a query or its plan
ADVICE = re.compile(
    r"(?: (?:Verify|If you did|If necessary|To tolerate|To return|Use `?try_|Use DROP|Did you mean|You may|Consider)"
    r"[^.]*(?:\.(?!\s|$)[^.]*)*\.?|,? ?SQLSTATE: \w{5}|Error running query: |Error while \w+ statement: |FAILED: )"
)
FIX, DOCTOR = "fix the statement", "./warehouse doctor looks for what the servers lack"
COMPILING = re.compile(r"Error while compiling statement|\.(?:Analysis|Parse)Exception")
# What the servers say when another server, or they themselves, went away.
LOST = re.compile(
    r"java\.net\.(?:Connect|NoRouteToHost|UnknownHost|SocketTimeout)Exception|failed on connection exception"
    r"|SparkContext (?:was|has been) shut ?down|stopped SparkContext|Invalid SessionHandle|Filesystem closed"
    r"|Could not connect to meta store|Unable to instantiate \S*MetaStoreClient|TTransportException"
    r"|is in safe mode|StandbyException|Connection reset by peer"
)
NAME = r"[`'\"]?([^'\"\s:]+?)[`'\"]?"
MISSING = {  # what there is none of, by what the servers say
    "table or view": (rf"The table or view {NAME} cannot be found", rf"Table not found {NAME}(?:\s|$)"),
    "column": (
        rf"(?:column|variable|parameter)[^`]{{0,60}} with name {NAME} cannot be resolved",
        rf"Invalid table alias or column reference {NAME}(?::|\s|$)",
        rf"Invalid column reference {NAME}(?::|\s|$)",
    ),
    "database": (rf"The schema {NAME} cannot be found", rf"Database does not exist: {NAME}(?:\s|$)"),
    "function": (rf"Cannot resolve routine {NAME} on", rf"Invalid function {NAME}(?:\s|$)"),
}
OFFERED = re.compile(r"Did you mean one of the following\? \[([^\]]*)\]|possible column names are: ([^)]*)\)")


@dataclass(frozen=True)
class SqlError:
    """The cause in one line, the next step, and the line of the statement with a caret below its place."""

    cause: str
    step: str
    excerpt: tuple[str, ...] = ()


def is_lost(text: str) -> bool:
    """Whether a server's error says that a server went away, which is no fault of a statement or of the data."""
    return LOST.search(text) is not None


def explained(text: str, statement: str) -> SqlError:
    """What a server's error text about a statement means."""
    text = text[:READ_CHARACTERS]
    place = PLACE.search(text)
    excerpt = _excerpt(statement, int(place[1]), int(place[2])) if place else ()
    for kind, patterns in MISSING.items():
        for pattern in patterns:
            if match := re.search(pattern, text):
                name = match[1].replace("`", "").removeprefix("spark_catalog.")
                if place and kind == "table or view":
                    name = _qualified(statement, int(place[1]), int(place[2]), name)
                return SqlError(f"there is no {kind} {name}", _step(kind, name, text, statement), excerpt)
    line = " ".join(BEHIND.split(text, maxsplit=1)[0].split())
    line = PLACE.sub(" ", SPARK_CLASS.sub("", ADVICE.sub("", line[: 2 * MOST_CHARACTERS])))
    cause = " ".join(CLASSES.sub("", line).split()).strip(" ;,.") or "no cause given"
    cause = cause if len(cause) <= MOST_CHARACTERS else f"{cause[: MOST_CHARACTERS - 1]}…"
    return SqlError(cause, FIX if excerpt or COMPILING.search(text) else DOCTOR, excerpt)


def _qualified(statement: str, line: int, column: int, name: str) -> str:
    """The name with its database as the statement spells it there, since HiveServer2 leaves the database out."""
    lines = statement.split("\n")
    if 1 <= line <= len(lines) and (match := re.match(r"[\w.`]+", lines[line - 1][column:])):
        written = match[0].replace("`", "")
        return written if written.lower().endswith(f".{name.lower()}") else name
    return name


def _excerpt(statement: str, line: int, column: int) -> tuple[str, ...]:
    """The line of the statement and a caret below its column; nothing where the statement has no such place."""
    lines = statement.split("\n")
    if not 1 <= line <= len(lines) or column > len(lines[line - 1]):
        return ()
    begin = max(0, column - SIDE_CHARACTERS)
    before = escaped(lines[line - 1][begin:column].replace("\t", " "))
    after = escaped(lines[line - 1][column : column + SIDE_CHARACTERS].replace("\t", " "))
    margin = f"{line:>4} | " + ("…" if begin else "")
    return f"{margin}{before}{after}", " " * (cell_len(margin) + cell_len(before)) + "^"


def _step(kind: str, name: str, text: str, statement: str) -> str:
    """What to do about a name that there is none of, by the names in the SQL files and those that the server offers."""
    near = _near(kind, name, text, statement)
    if near.lower() == name.lower() and kind != "column":
        return "./warehouse build makes it"
    return f"did you mean {near}?" if near else FIX


def _near(kind: str, name: str, text: str, statement: str) -> str:
    """The name in the SQL files, or of those the server offers, that is nearest; "" for none."""
    try:
        files = sqlfile.files("[0-3]_*")
    except WarehouseError:  # the error of the statement matters more than a broken file
        files = []
    tables = sorted({name for file in files for name in (file.name, file.table)})
    if kind == "table or view":
        return _closest(name, tables)
    if kind == "database":
        return _closest(name, {table.partition(".")[0] for table in tables})
    if kind != "column":
        return ""
    offered = OFFERED.search(text)
    columns = re.findall(r"(?:\w+\.)*(\w+)", (offered[1] or offered[2]).replace("`", "")) if offered else []
    read = [file for file in files if {file.name, file.table} & set(re.findall(r"[\w.]+", statement))]
    return _closest(name, [*columns, *(column for file in read for column, _ in file.columns)])


def _closest(name: str, candidates: Iterable[str]) -> str:
    """The candidate nearest to a name; one without a database is compared with their last parts."""
    last = {candidate.lower().rpartition(".")[2]: candidate for candidate in candidates}
    whole = {candidate.lower(): candidate for candidate in candidates}
    for names, wanted in ((whole, name.lower()), (last, name.lower().rpartition(".")[2])):
        if close := difflib.get_close_matches(wanted, names, n=1, cutoff=0.75):
            return names[close[0]]
    return ""
