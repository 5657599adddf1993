"""SQL as text: split into statements, with checked values substituted for `${name}`. Pure: no server is called.

Values are substituted by the client, each checked by its type and escaped for its quotes; no other
`${...}` reaches a server, which would substitute its own variables, such as `${env:...}`.
"""

from __future__ import annotations

import bisect
import datetime
import re
from collections.abc import Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from etl.errors import UsageError

VARIABLE = re.compile(r"\$\{(\w+)\}")
TYPES = {
    "identifier": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}"),
    "integer": re.compile(r"-?[0-9]{1,18}"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "text": re.compile(r"[^\ud800-\udfff]{0,20000}", re.DOTALL),  # half a surrogate pair is no text
}
QUOTED = {"date", "text"}  # types whose values mean something else without quotes
# What could end a quoted text, begin an escape (both engines read \u and four digits in quotes) or a variable, or break
# the line.
ESCAPED = re.compile("['\"\\\\$`\x00-\x1f\x7f-\x9f\u2028\u2029]")


def statements(text: str, parameters: Mapping[str, str], values: Mapping[str, str], where: str) -> list[str]:
    """The statements of a text, ready to be sent: with values for its `${name}` and no other `${...}`.

    Raises UsageError for a parameter that is not declared, not given or not of its type, and for a text that
    cannot be split into statements.
    """
    checked = split(substitute(text, parameters, values, where))
    for statement in checked:
        if left := re.search(r"\$\{[^}]{0,40}\}?", statement):
            raise UsageError(
                f"{where} holds {left[0]!r}, which a server would substitute",
                "remove it, or declare a parameter",
            )
    return checked


def substitute(text: str, parameters: Mapping[str, str], values: Mapping[str, str], where: str) -> str:
    """Substitute checked values for `${name}`, each escaped for the quotes around it; comments are left alone."""
    matches = list(VARIABLE.finditer(text))
    cut = tokens(_masked(text)) if matches else []
    starts = [token.start for token in cut]
    parts, at = [], 0
    for match in matches:
        number = bisect.bisect_right(starts, match.start()) - 1
        if number < 0 or cut[number].end < match.start():
            continue  # in a comment
        quote = text[starts[number]] if text[starts[number]] in "'\"`" else ""
        parts += [text[at : match.start()], _written(match[1], quote, parameters, values, where)]
        at = match.end()
    return "".join([*parts, text[at:]])


def _written(name: str, quote: str, parameters: Mapping[str, str], values: Mapping[str, str], where: str) -> str:
    """The value of a parameter as the statement spells it, between these quotes ("" for none)."""
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
        return in_quotes(value)
    return value if quote else value.replace("-", " -")  # after a minus, another one would begin a comment


def in_quotes(text: str) -> str:
    """A text as a statement spells it between quotes."""
    return ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


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
    """The text with a word of the same length for each variable."""
    return VARIABLE.sub(lambda match: "_" * len(match[0]), text)


def tokens(text: str) -> list[sqlglot.Token]:
    """By sqlglot's tokenizer: it knows strings, comments, back quotes and hints. UsageError for an open quote."""
    try:
        return sqlglot.tokenize(text, read="hive")
    except SqlglotError as error:
        raise UsageError(f"the SQL cannot be read: {error}", "find a quote that is not closed") from error


def parsed(statement: str, where: str) -> exp.Expr:
    """The tree of a statement, by sqlglot. UsageError for one that it cannot read."""
    try:
        return sqlglot.parse_one(statement, read="hive")
    except SqlglotError as error:
        first: dict[str, Any] = next(iter(getattr(error, "errors", ())), {})
        cause = f"{first['description']} in line {first['line']} of a statement" if first else str(error)
        raise UsageError(f"{where} cannot be read: {cause}", "correct the statement") from error


def split(text: str) -> list[str]:
    """The statements of a text: split at semicolons that are code, from the first to the last token of each."""
    texts: list[str] = []
    start: int | None = None
    end = 0
    for token in tokens(_masked(text)):
        if token.token_type == TokenType.SEMICOLON:
            if start is not None:
                texts.append(text[start:end])
            start = None
            continue
        start = token.start if start is None else start
        end = token.end + 1
    return [*texts, text[start:end]] if start is not None else texts


def renamed(text: str, names: Mapping[str, str]) -> str:
    """SQL with each of these tables and views under another name."""
    pattern = rf"(?<![\w.])({'|'.join(map(re.escape, names))})(?!\w)"
    return re.sub(pattern, lambda match: names[match[0]], text)
