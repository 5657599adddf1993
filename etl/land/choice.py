"""Which messages are left out of the raw tables: those of erased attempts, or those that are too old."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from etl.land import spark_job
from etl.store.erased_attempts import WORD, Erased, Headers

Place = tuple[int, int, int]  # of a message: its landing, Kafka partition and offset


@dataclass(frozen=True)
class Message:
    """A message in a raw table; `published` are milliseconds since 1970."""

    table: str
    place: Place
    published: int
    value: bytes | None
    key: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Choice:
    """Which messages are left out, and which of the others are to be named."""

    drops: Callable[[Message], bool]
    names: Callable[[Message], bool] = lambda _: False


def of_attempts(erased: Erased, attempts: Collection[str]) -> Choice:
    """The messages of erased attempts; those of others that mention one of these ids are named."""
    mentions = _mentions(attempts)
    return Choice(
        lambda message: erased.holds(message.value, message.key, message.headers),
        lambda message: any(map(mentions, (message.value, message.key, *(part for _, part in message.headers)))),
    )


def older_than(ends: Mapping[str, int], replayed: Collection[tuple[int, int]]) -> Choice:
    """The messages that were published before a time in milliseconds, by raw table.

    A rejected message that a replay accepted, as (Kafka partition, offset), is kept as long as the accepted one.
    """

    def drops(message: Message) -> bool:
        table = spark_job.ACCEPTED if message.place[1:] in replayed else message.table
        return 0 <= message.published < ends.get(table, 0)

    return Choice(drops)


def _mentions(attempts: Collection[str]) -> Callable[[bytes | None], bool]:
    """The function that finds any of these ids in some bytes: words in one pass, other ids one by one."""
    words = {attempt.encode() for attempt in attempts if WORD.fullmatch(attempt)}
    others = [attempt.encode() for attempt in attempts if not WORD.fullmatch(attempt)]
    word = re.compile(WORD.pattern.encode())

    def mentions(content: bytes | None) -> bool:
        if not content:
            return False
        return not words.isdisjoint(word.findall(content)) or any(other in content for other in others)

    return mentions
