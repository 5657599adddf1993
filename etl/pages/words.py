"""Values as people read them: in HTML, where Jinja escapes them, and in Markdown, where `markdown` does."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

DASH = "\N{EN DASH}"
SHORT = 12
# Characters that XML cannot hold or that are invisible: replaced by Unicode's pictures for them.
UNSEEN = {code: 0x2400 + code for code in range(32)} | {127: 0x2421, 0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}
MARKDOWN = re.compile(r"[\\`*_\[\]|#~$]")
LINKS = re.compile(r"(?<=[a-z])(:)(?=//)|(?<=www)(\.)|(@)", re.IGNORECASE)
PERCENT, SHARE = re.compile(r"_percent(_of_\w+)?$"), re.compile(r"_share(_of_\w+)?$")
AGES = ((31_557_600, "year"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def clean(text: str) -> str:
    """The text with what cannot be seen or written made visible."""
    return text.encode("utf-8", "replace").decode().translate(UNSEEN)


def label(column: str) -> str:
    """A column's name for people."""
    return clean(column.replace("_", " ").strip())


def sentence(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def heading(topic: str, page: str) -> str:
    """The title of a page about the topic."""
    return f"{topic.replace('_', ' ').capitalize()} {page}"


def display(column: str, value: Any) -> str:
    """A value for people: 1,234, 62.7%, 2018-01-28 19:17:53 UTC, yes; NULL is a dash."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return _number(column, value)
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.UTC) if value.tzinfo else value
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return clean(str(value))


def _number(column: str, value: int | float | Decimal) -> str:
    if PERCENT.search(column):
        return f"{value:,}%" if isinstance(value, int) else f"{value:,.1f}%"
    if SHARE.search(column):
        return f"{value:,.1%}"
    if isinstance(value, int) or (isinstance(value, Decimal) and value.as_tuple().exponent == 0):
        return str(value) if re.search(r"(^|_)year$", column) else f"{value:,}"
    return f"{value:,.2f}".removesuffix("0") if value == 0 or not -1 < value < 1 else f"{value:,.3f}"


def age(value: Any, now: datetime.datetime) -> str:
    """How long before `now` a time was: `3 hours before`, in the greatest unit of which there are two.

    Empty where the value is no time.
    """
    if not isinstance(value, datetime.datetime):
        return ""
    seconds = (now - (value if value.tzinfo else value.replace(tzinfo=datetime.UTC))).total_seconds()
    size, unit = next(((size, unit) for size, unit in AGES if abs(seconds) >= 2 * size), AGES[-1])
    count = int(abs(seconds) // size)
    return f"{count:,} {unit}{'' if count == 1 else 's'} {'before' if seconds >= 0 else 'after'}"


def kind(column: str, values: Sequence[Any]) -> str:
    """How a column is set: as numbers, ids, short words that stay on one line, or text."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in present):
        return "number"
    if column.endswith("_id"):
        return "id"
    return "short" if all(len(display(column, value)) <= SHORT for value in present) else ""


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no link, fit for a table's cell."""
    text = " ".join(clean(re.sub(r"[\r\n\t]+", " ", text)).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A doubled backslash begins a formula in Jupyter.
    text = MARKDOWN.sub(lambda match: "&#92;" if match[0] == "\\" else f"\\{match[0]}", text)
    return LINKS.sub(lambda match: f"&#{ord(match[0])};", text)


def fence(text: str) -> str:
    """A fence of back quotes longer than any in the text."""
    return "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text) or [""]))
