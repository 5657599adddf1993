"""What people ask from the page: questions in, states and rows out; each has a thread and a session of its own.

All of it is kept in memory, within bounds, and ends with the process. Who may ask sees all questions: they are asked
by one user, the one who serves.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from etl.errors import UsageError, WarehouseError
from etl.query import exact
from etl.serve.readonly import reading
from etl.servers.hive import Hive
from etl.settings import Settings

BLOCK = 200  # rows fetched at once: between blocks it is looked whether to go on
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"


@dataclass(frozen=True)
class Limits:
    """How much may be asked for."""

    rows: int = 1000  # shown of one question
    characters: int = 2_000_000  # in these rows
    seconds: float = 60
    file_rows: int = 1_000_000
    file_seconds: float = 600
    at_once: int = 4
    past: int = 50


class Stopped(KeyboardInterrupt):
    """A question was given up or its time is over; as an interrupt it cancels what runs on the server."""


@dataclass(eq=False)
class Question:
    """A statement that was asked, how far it is, and what came of it."""

    sql: str
    sent: str
    seconds_allowed: float
    is_file: bool = False
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    asked_at: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    share: float | None = None
    state: str = RUNNING
    error: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    row_count: int = 0
    is_cut: bool = False  # there are more rows than were fetched
    given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state == RUNNING

    def watch(self, _: float, share: float | None) -> None:
        """Note how far it is; Stopped where it must not go on. Called all the time while it runs."""
        self.seconds, self.share = time.monotonic() - self.began, share
        if self.given_up.is_set():
            raise Stopped
        if self.seconds > self.seconds_allowed:
            raise Stopped(f"it ran longer than {self.seconds_allowed:g} s and was cancelled; ask ./warehouse query")

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """What happens in here decides how it ends; what fails is noted, not raised."""
        state, error = CANCELLED, ""  # as when whoever downloads it goes away
        try:
            yield
            state = DONE
        except Stopped as reason:
            state, error = (FAILED, str(reason)) if str(reason) else (CANCELLED, "")
        except WarehouseError as cause:
            state, error = (CANCELLED, "") if self.given_up.is_set() else (FAILED, str(cause))
        except Exception as cause:
            state, error = FAILED, f"unexpected {type(cause).__name__}: {' '.join(str(cause).split())[:300]}"
        finally:
            self.seconds, self.error = time.monotonic() - self.began, error
            self.state = state  # last: who sees that it ended sees the rest as well


class Asking:
    """The questions of this process: those that run, and the last ones that ended."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self.settings = settings
        self.limits = limits or Limits()
        self._questions: dict[str, Question] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def ask(self, sql: str) -> Question:
        """Begin to answer a statement; one that does more than read has failed at once, and is sent nowhere.

        Raises UsageError where too much runs already.
        """
        try:
            sent = reading(sql, self.settings.engine, self.limits.rows + 1)  # one more shows whether there are more
        except UsageError as error:
            return self._added(Question(sql, "", 0, state=FAILED, error=str(error)))
        question = self._added(Question(sql, sent, self.limits.seconds))
        thread = threading.Thread(target=self._answer, args=[question], daemon=True)
        thread.start()
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        return question

    def all(self) -> list[Question]:
        """Every question, the last one first."""
        with self._lock:
            return list(reversed(self._questions.values()))

    def find(self, id_: str) -> Question:
        """The question; UsageError where it is not kept."""
        with self._lock:
            if id_ not in self._questions:
                raise UsageError("this question is not kept any more", "ask it again")
            return self._questions[id_]

    def close(self, seconds: float = 15) -> None:
        """Give up whatever runs, and wait until the servers have been told."""
        for question in self.all():
            question.given_up.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def file(self, asked: Question) -> Iterator[list[tuple[Any, ...]]]:
        """All rows of a question by blocks, the names of its columns first; asked again where not all were fetched.

        Raises what fails, also in the middle: a file that is not whole must not look so.
        """
        if asked.state != DONE or asked.is_file:
            raise UsageError("this question has no rows", "ask it again")
        if not asked.is_cut:
            yield from ([tuple(asked.columns)], asked.rows)
            return
        sent = reading(asked.sql, self.settings.engine, self.limits.file_rows + 1)
        question = self._added(Question(asked.sql, sent, self.limits.file_seconds, is_file=True))
        with question.ending():
            for number, block in enumerate(self._blocks(question, 1000)):
                rows = block[: self.limits.file_rows - question.row_count]
                question.row_count += len(rows)
                question.is_cut = len(rows) < len(block)
                yield [tuple(question.columns), *rows] if number == 0 else rows
                if question.is_cut:
                    break
        if question.state != DONE:
            raise WarehouseError(question.error or "the question was cancelled")

    def _added(self, question: Question) -> Question:
        """Keep it, in the place of the oldest that has ended."""
        with self._lock:
            running = sum(one.is_running for one in self._questions.values())
            if question.is_running and running >= self.limits.at_once:
                raise UsageError(f"{running} questions are running, no more run at once", "wait for one, or cancel one")
            ended = [one.id for one in self._questions.values() if not one.is_running]
            for old in ended[: max(0, len(self._questions) + 1 - self.limits.past)]:
                del self._questions[old]
            self._questions[question.id] = question
        return question

    def _answer(self, question: Question) -> None:
        """Run it and keep its first rows."""
        left = self.limits.characters
        with question.ending():
            for block in self._blocks(question, BLOCK):
                for row in block:
                    left -= sum(len(exact(value)) for value in row if value is not None)
                    question.is_cut = len(question.rows) == self.limits.rows or (left < 0 and bool(question.rows))
                    if question.is_cut:
                        break
                    question.rows.append(row)
                question.row_count = len(question.rows)
                if question.is_cut:
                    break

    def _blocks(self, question: Question, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows as they are fetched."""
        with Hive(self.settings, question.watch) as hive:
            question.watch(0, None)  # opening the session may have taken long
            for block in hive.blocks(question.sent, size):
                question.columns = block.columns
                question.watch(0, None)
                yield block.rows
