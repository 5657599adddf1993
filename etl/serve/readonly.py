"""Whether a statement only reads: a person's text in, the one statement that may be sent out. Pure: nothing is asked.

What is sent is put together anew from the tokens, without comments and with plain blanks: what one parser takes for
a comment or a blank, another one may take for code. sqlglot's parser knows the tree; the rules on single words stand
beside it for what it and an engine read differently. This is a fence for mistakes and for other sites' tricks; what
a person may read or write is for the server's own permissions to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.errors import UsageError

LONGEST = 50_000
STEP = "ask by a single SELECT, WITH, SHOW, DESCRIBE or EXPLAIN; ./warehouse query runs everything else"
STRING = re.compile(r"""'(?:[^'\\\x00]|\\[^\x00])*'|"(?:[^"\\\x00]|\\[^\x00])*\"""", re.DOTALL)
NAME = re.compile(r"`[^`\\\x00-\x1f]+`")
CODE = re.compile(r"(?!.*(?:--|/\*|\|>|\$\{))[!-z|~]+")  # a hint begins as a comment
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WRITES = {"INSERT", "OVERWRITE", "DELETE", "UPDATE", "MERGE"}  # what may stand behind a WITH, besides SELECT
SHOWN = {
    "DATABASES", "SCHEMAS", "TABLES", "VIEWS", "COLUMNS", "PARTITIONS", "FUNCTIONS", "CREATE", "TBLPROPERTIES", "TABLE",
}  # fmt: skip
EXPLAINED = {"EXTENDED", "FORMATTED", "CODEGEN", "COST", "CBO", "AST", "LOGICAL", "DEPENDENCY"}  # ANALYZE runs it
# Functions that call Java, read the server's own files, begin jobs elsewhere, break it, or take a name out of a text.
FUNCTIONS = {
    "reflect", "reflect2", "try_reflect", "java_method", "in_file", "dboutput", "get_splits", "get_llap_splits",
    "get_sql_schema", "from_avro", "from_protobuf", "to_protobuf", "assert_true_oom", "exception_in_vertex_udf",
    "exception_in_vertex_udaf", "read_files", "cloud_files", "http_request", "remote_query", "identifier",
}  # fmt: skip
# Spark reads `json.path` as a file where no such table is.
FORMATS = {
    "json", "csv", "text", "parquet", "orc", "avro", "xml", "binaryfile", "image", "libsvm", "jdbc", "delta",
    "iceberg", "hudi", "hive", "kafka", "socket", "rate", "noop", "console",
}  # fmt: skip
ACTS = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.QueryTransform, exp.Hint, exp.Placeholder, exp.Parameter)


@dataclass(frozen=True)
class Piece:
    """A token as it was typed; `gap` is what goes before it."""

    text: str
    gap: str

    @property
    def word(self) -> str:
        """A word without quotes, in upper case; "" for anything else."""
        return self.text.upper() if PLAIN.fullmatch(self.text) else ""

    @property
    def name(self) -> str:
        """A word as a name: in back quotes or without, in lower case."""
        return self.text.strip("`").lower() if self.word or self.text.startswith("`") else ""


def reading(text: str, engine: str, most: int | None = None) -> str:
    """The one statement of a text, as it may be sent; UsageError for anything that could do more than read.

    A query that names no limit of its own gets `most`, so that a server does not collect what nobody fetches.
    """
    if len(text) > LONGEST:
        raise UsageError(f"a question of {len(text):,} characters is too long", f"up to {LONGEST:,} are read")
    pieces = _pieces(text)
    head = pieces[0].word
    if head in ("SELECT", "WITH"):
        tree = _check_query(pieces, engine)
        is_open = most is not None and not tree.args.get("limit") and not tree.args.get("offset")
        return f"{_joined(pieces)}\nLIMIT {most}" if is_open else _joined(pieces)
    if head == "EXPLAIN":
        _check_query(_behind(pieces, EXPLAINED), engine)
    elif head in ("DESCRIBE", "DESC"):
        rest = _behind(pieces, {"EXTENDED", "FORMATTED", "QUERY"})
        if rest[0].word in ("SELECT", "WITH"):
            _check_query(rest, engine)
        else:
            _check_names(rest, {"SELECT", "FROM", "MAP", "REDUCE", "VALUES", "WITH"})
    elif head == "SHOW":
        rest = _behind(pieces, set())
        if rest[0].word not in SHOWN:
            raise _refused(f"SHOW {rest[0].text[:40]}")
        _check_names(rest, set())
    else:
        raise _refused(pieces[0].text[:40])
    return _joined(pieces)


def _refused(what: str) -> UsageError:
    return UsageError(f"this page only reads and does not send {what}", STEP)


def _joined(pieces: Sequence[Piece]) -> str:
    return "".join(piece.gap + piece.text for piece in pieces).strip()


def _pieces(text: str) -> list[Piece]:
    """The tokens of the one statement; UsageError for a second one, and for what two parsers may cut differently."""
    try:
        # Behind a parenthesis EXPLAIN is a word, at the beginning sqlglot would swallow the rest as a text.
        tokens = sqlglot.tokenize(f"({text}", read="hive")[1:]
    except SqlglotError as error:
        raise UsageError("the SQL cannot be read", "look for a quote that is not closed") from error
    found: list[Piece] = []
    at, is_over = 0, False
    for token in tokens:
        start, end = token.start - 1, token.end
        if start < at:
            continue  # sqlglot makes several tokens of 1L
        raw, gap = text[start:end], text[at:start]
        at = end
        if raw == ";":
            is_over = True
            continue
        if is_over:
            raise UsageError("there is more than one statement", "ask one at a time")
        blanks = "\n" * gap.count("\n") or " " * bool(gap)  # so that a server's line numbers stay right
        found.append(Piece(_checked(raw, text[:start]), blanks))
    if not found:
        raise UsageError("there is no statement to run", "such as SELECT COUNT(*) AS attempts FROM flat.attempts")
    return found


def _checked(raw: str, before: str) -> str:
    """A token that every parser cuts as this one did."""
    if raw[0] in "'\"":
        if not STRING.fullmatch(raw) or "${" in raw:
            raise _refused(f"the text {raw[:40]}")
        if re.search(r"[A-Za-z0-9_]$", before):  # r'...' has other escapes
            raise UsageError(f"a letter stands right before the text {raw[:40]}", "write a blank between them")
        return raw
    if raw[0] == "`":
        if not NAME.fullmatch(raw) or "${" in raw:
            raise _refused(f"the name {raw[:40]}")
        return raw
    code = " ".join(raw.split())
    if not CODE.fullmatch(code.replace(" ", "_")) or set(code) & set("'\"`"):
        raise _refused(f"{code[:40]} outside quotes")
    return code


def _behind(pieces: Sequence[Piece], words: set[str]) -> Sequence[Piece]:
    """What stands behind the first word and any of these."""
    at = 1
    while at < len(pieces) and pieces[at].word in words:
        at += 1
    if at == len(pieces):
        raise UsageError(f"nothing stands behind {pieces[at - 1].text}", STEP)
    return pieces[at:]


def _check_names(pieces: Sequence[Piece], never: set[str]) -> None:
    """Of SHOW and DESCRIBE: words, plain names and texts; parentheses just for a partition."""
    for before, piece, behind in _in_threes(pieces):
        is_plain = piece.word or piece.text[0] in "'\"*.,=)" or piece.text.isdigit() or PLAIN.fullmatch(piece.name)
        is_partition = piece.text == "(" and before.word == "PARTITION"
        is_file = behind.text == "." and piece.name in FORMATS
        if piece.word in never or is_file or not (is_plain or is_partition):
            raise _refused(f"{piece.text[:40]} here")


def _check_query(pieces: Sequence[Piece], engine: str) -> exp.Query:
    """A SELECT, alone or behind a WITH, that writes nothing, runs no program and reads tables only."""
    if pieces[0].word not in ("SELECT", "WITH"):
        raise _refused(pieces[0].text[:40])
    for before, piece, behind in _in_threes(pieces):
        is_call, is_list = piece.name in FUNCTIONS and behind.text == "(", behind.text == "("
        is_script = piece.word == "USING" and not is_list  # a join lists columns, TRANSFORM names a program
        is_option = piece.word == "WITH" and is_list  # a table read with other options, such as a path
        is_path = before.text == "." and piece.text[0] == "`" and bool(re.search(r"[^\w -]", piece.name))
        if is_call or is_script or is_option or is_path or (piece.word in WRITES and before.text != "."):
            raise _refused(f"{piece.text[:40]} {behind.text[:20]}")
    tree = _tree(_joined(pieces), engine)
    for node in tree.walk():
        is_hidden = isinstance(node, exp.CTE) and not isinstance(node.this, exp.Query)
        if is_hidden or isinstance(node, ACTS):
            raise _refused(f"{type(node).__name__.upper()} in a question")
        if isinstance(node, exp.Table):
            _check_table(node)
    return tree


def _in_threes(pieces: Sequence[Piece]) -> list[tuple[Piece, Piece, Piece]]:
    """Every piece between the one before and the one behind."""
    none = Piece("", "")
    return list(zip([none, *pieces], pieces, [*pieces[1:], none], strict=False))


def _tree(statement: str, engine: str) -> exp.Query:
    try:
        trees = sqlglot.parse(statement, read=engine)
    except (SqlglotError, RecursionError) as error:
        cause = str(error).partition("\n")[0].strip() if isinstance(error, SqlglotError) else "it is nested too deep"
        raise UsageError(f"the SQL cannot be read: {cause}", "./warehouse query sends it unread") from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise _refused("what is no SELECT")
    return trees[0]


def _check_table(table: exp.Table) -> None:
    """A table is a plain name, and its database no file format."""
    names = [part.name for part in table.parts if isinstance(part, exp.Identifier)]
    if any(not PLAIN.fullmatch(name) for name in names) or {name.lower() for name in names[:-1]} & FORMATS:
        raise _refused(f"the table {'.'.join(names)[:80]}, which may be a file")
