"""Progress on standard error: bars at a terminal, plain lines everywhere else.

Rich draws the bars. It is imported where one is drawn: programs and short commands do not pay for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# What a terminal would interpret, marks that turn or hide the text beside them, and halves of surrogate pairs.
CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
BAR_WIDTH = 24

T = TypeVar("T")
_display: Progress | None = None  # one display at a time: a bar inside another is a row below it
_rows: list[Bar] = []


def escaped(text: str) -> str:
    """The text with its control characters escaped."""

    def code(match: re.Match[str]) -> str:
        number = ord(match[0])
        if number > 0xFFFF:
            return f"\\U{number:08x}"
        return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"

    return CONTROL.sub(code, text)


def escaped_json(text: str) -> str:
    """JSON without line breaks between its values, with the control characters in it escaped."""
    return CONTROL.sub(lambda match: json.dumps(match[0])[1:-1], text)


def write(content: bytes) -> None:
    """Write bytes to standard output; a terminal gets text, with its control characters escaped."""
    if sys.stdout.isatty():
        print("\n".join(map(escaped, content.decode(errors="backslashreplace").split("\n"))))
    else:
        sys.stdout.buffer.write(content)


def say(text: str) -> None:
    """A line on standard error, above the bars where there are any."""
    if _display is None:
        print(escaped(text), file=sys.stderr, flush=True)
    else:
        _display.console.print(escaped(text), markup=False, emoji=False, soft_wrap=True)


def is_watched() -> bool:
    """Whether standard error is a terminal that can draw over itself."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


class Bar:
    """The progress of a task; drawn at a terminal only."""

    def __init__(self, display: Progress | None = None, row: TaskID | None = None) -> None:
        self._display, self._row = display, row

    def _update(self, **changes: Any) -> None:
        if self._display is not None and self._row is not None:
            self._display.update(self._row, **changes)

    def at(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show how much of the total is done, and the current item; without `total` the last one stays."""
        self._update(completed=done, total=total, text=escaped(text), note="")

    def note(self, text: str) -> None:
        """Show something beside it, until the next step."""
        self._update(note=escaped(text))

    def each(self, items: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
        """The items one by one, shown by name."""
        for number, item in enumerate(items):
            self.at(number, len(items), f"{name(item)}, {number + 1} of {len(items)}")
            yield item

    def stages(self, stages: Iterable[Any] | None, **_: Any) -> None:
        """Show the share of tasks that are done: a handler of the progress that Spark Connect reports."""
        running = list(stages or ())
        done, total = (sum(getattr(stage, name) for stage in running) for name in ("num_completed_tasks", "num_tasks"))
        if total:
            self._update(completed=done / total, total=1, note=f"{done} of {total} tasks")


@contextlib.contextmanager
def progress(task: str, total: float | None = None) -> Iterator[Bar]:
    """A bar as long as the block runs; without a total it moves to and fro."""
    if not is_watched():
        yield Bar()
        return
    with _displayed() as display:
        row = display.add_task(task, total=total, text="", note="")
        _rows.append(Bar(display, row))
        try:
            yield _rows[-1]
        finally:
            _rows.pop()
            display.remove_task(row)


@contextlib.contextmanager
def _displayed() -> Iterator[Progress]:
    global _display
    if _display is not None:
        yield _display
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(BAR_WIDTH),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]} {task.fields[note]}", markup=False),
    ]
    console = Console(stderr=True, highlight=False)  # it honors NO_COLOR
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as display:
        _display = display
        try:
            yield display
        finally:
            _display = None


def watch(seconds: float, share: float | None) -> None:
    """Show beside the innermost bar how far a statement is: the Watch of etl/servers/hive_session.py."""
    if _rows:
        _rows[-1].note(f"{seconds:.0f} s" if share is None else f"{seconds:.0f} s, {share:.0%}")
