"""The statements of a query: read from a text, a file or standard input, and whether each of them only reads.

The check for writing guards against slips, not against strangers: it considers the kind of a statement and no
function in it; the server decides what a user may do. The server's grammar is larger than any parser's
here, so the tokens decide: the first word of a statement after comments, brackets and the queries of a WITH.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import sqlglot
from sqlglot.dialects import Hive
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from etl import sqlfile, sqltext
from etl.errors import UsageError

READS = ("SELECT", "WITH", "FROM", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN")
EXAMPLE = 'such as ./warehouse query "SELECT 1"'


class Tokenizer(Hive.Tokenizer):  # type: ignore[misc]
    """Hive's, but with every word of SHOW and EXPLAIN as a token."""

    COMMANDS: set[TokenType] = set()  # noqa: RUF012 (sqlglot's own form)


def read(statement: str | None, path: Path | None, values: Mapping[str, str]) -> list[str]:
    """The statements to run: of the text, `-` for standard input, or of a file with its parameters substituted.

    Raises UsageError when neither or both are given, or nothing is in it.
    """
    if (statement is None) == (path is None):
        raise UsageError("give either one SQL text or -f FILE", EXAMPLE)
    try:
        text = path.read_text(encoding="utf-8") if path else sys.stdin.read() if statement == "-" else statement or ""
    except (OSError, UnicodeDecodeError) as error:
        step = "name a SQL file in UTF-8" if path else "give SQL in UTF-8"
        raise UsageError(f"{path or 'standard input'} cannot be read: {error}", step) from error
    parameters = sqlfile.SqlFile(path, text).parameters if path else {}
    if unknown := set(values) - set(parameters):
        raise UsageError(f"{path or 'the query'} declares no parameter {min(unknown)}", "leave --hivevar out for it")
    statements = sqltext.statements(text, parameters, values, str(path or "the query"))
    if not statements:
        raise UsageError("there is no statement to run", EXAMPLE)
    return statements


def check_reads(statements: Sequence[str]) -> None:
    """Raise UsageError for the first statement that does not only read."""
    for statement in statements:
        if verb := writing_keyword(statement):
            raise UsageError(
                f"only statements that read are run ({', '.join(READS)}), not {verb[:40]}",
                "./warehouse query --write runs it",
            )


def keyword(statement: str) -> str:
    """The word that a statement begins with, in capitals, "" for none."""
    tokens = _unbracketed(_tokens(statement))
    return tokens[0].text.upper() if tokens else ""


def writing_keyword(statement: str) -> str:
    """What makes a statement one that does more than read, "" for one that reads."""
    return _writing(_tokens(statement))


def _writing(tokens: list[sqlglot.Token]) -> str:
    tokens = _unbracketed(tokens)
    words = [token.text.upper() for token in tokens]
    if not words or words[0] not in READS or tokens[0].token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return words[0] if words else "an unfinished one"
    if words[0] == "EXPLAIN":  # which runs nothing, but where it measures
        return _writing(tokens[2:]) if words[1:2] == ["ANALYZE"] else ""
    if words[0] == "WITH":
        return _writing(_behind_with(tokens))
    for token, word, following in zip(tokens, words, [*words[1:], ""], strict=True):
        if token.token_type == TokenType.INSERT and following in ("INTO", "OVERWRITE"):
            return f"{word} {following}"
    return ""


def _tokens(statement: str) -> list[sqlglot.Token]:
    return list(Tokenizer(dialect="hive").tokenize(statement))


def _unbracketed(tokens: list[sqlglot.Token]) -> list[sqlglot.Token]:
    return next((tokens[at:] for at, token in enumerate(tokens) if token.token_type != TokenType.L_PAREN), [])


def _behind_with(tokens: list[sqlglot.Token]) -> list[sqlglot.Token]:
    """The tokens after the queries that a WITH names, each as `name AS (...)`."""
    depth, in_query = 0, False
    for at, token in enumerate(tokens):
        kind = token.token_type
        in_query |= kind == TokenType.ALIAS and depth == 0
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if in_query and kind == TokenType.R_PAREN and depth == 0:
            in_query = False
            if tokens[at + 1 : at + 2] and tokens[at + 1].token_type != TokenType.COMMA:
                return tokens[at + 1 :]
    return []
