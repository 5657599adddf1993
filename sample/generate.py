"""A plan to messages: synthetic exam attempts that reproduce the published figures of the genuine file.

It holds no real attempt. Each message says so: its keen_id is 8 hex digits of the unix second, then the
mark `5e17ec71c0`, then 6 counting digits. SQL finds them by `keen_id LIKE '________5e17ec71c0______'`.

The plan has 3,280 slots; with as many messages each slot gets one, and every published figure holds exactly. With
more or fewer messages the slots share them evenly, so that exams, scores, days, hours and duplicates keep their
shares. Messages stream in the order of their slots; the same number and seed give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import BinaryIO

from etl.errors import UsageError
from sample.message import Writer
from sample.plan import slots

ATTEMPTS, SEED = 3280, 1


def messages(attempts: int = ATTEMPTS, seed: int = SEED) -> Iterator[bytes]:
    """Yield `attempts` messages as compact JSON, roughly in order of time."""
    if attempts < 0:
        raise UsageError(f"cannot generate {attempts} messages", "give 0 or more")
    return _stream(attempts, Random(seed))  # noqa: S311 - invented data, and the same for a seed


def _stream(attempts: int, rng: Random) -> Iterator[bytes]:
    plan = slots(rng)
    writer = Writer(rng)
    sent: dict[int, list[bytes]] = {}  # by attempt, as long as duplicates are to come
    left: dict[int, int] = {}
    latest: list[bytes] = []
    for place, slot in enumerate(plan):
        copies = (place + 1) * attempts // len(plan) - place * attempts // len(plan)
        key = id(slot.attempt)
        if slot.is_duplicate:
            # Where a small sample left the attempt out, the one sent last takes its place.
            repeated = sent.get(key) or latest or [writer.write(slot.attempt, slot.attempt.started, None)]
            yield from (repeated[copy % len(repeated)] for copy in range(copies))
            left[key] -= 1
            if not left[key]:
                sent.pop(key, None)
            continue
        kept: list[bytes] = []
        left[key] = slot.attempt.messages - 1
        gap = slot.at - plan[place - 1 if place else 1].at
        for copy in reversed(range(copies)):
            # The copies fill the time since the slot before; the last is the planned attempt itself.
            published_id = None if copy else slot.attempt.user_exam_id
            message = writer.write(slot.attempt, slot.at - gap * copy // copies, published_id)
            if left[key]:
                kept.append(message)
            elif slot.attempt.certification != "null":
                latest = [message]
            yield message
        if kept:
            sent[key] = kept


def write(out: BinaryIO, attempts: int = ATTEMPTS, seed: int = SEED) -> int:
    """Write the messages as JSON lines; returns how many."""
    stream, count = messages(attempts, seed), 0
    while batch := list(islice(stream, 1000)):
        out.write(b"\n".join(batch) + b"\n")
        count += len(batch)
    return count
