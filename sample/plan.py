"""Published figures to a plan: 3,242 attempts with their results and times, and 3,280 slots for messages.

All exact figures are met before any message is written: the results of questions in `outcomes`, the times of clicks
in `clicks`, and here days and hours, by shares that are rounded so that they add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from random import Random
from typing import NamedTuple

from sample.catalog import exams, facts, published, repeated_attempts
from sample.clicks import clicks, shares
from sample.outcomes import Attempt, make_always_right, outcomes

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
# Invented shares of the UTC hours that are not published (those from 12 to 15 are): America's day is the busy one.
HOURS = [110, 95, 85, 80, 75, 75, 80, 85, 90, 95, 100, 110, 0, 0, 0, 0, 205, 200, 195, 195, 190, 180, 155, 130]


class Slot(NamedTuple):
    """The place of one message in the order of arrival; a later slot of the same attempt is a duplicate."""

    at: int
    attempt: Attempt
    is_duplicate: bool


def milliseconds(text: str) -> int:
    """An ISO time with milliseconds as milliseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def slots(rng: Random) -> list[Slot]:
    """The whole plan, in order of arrival."""
    repeated = repeated_attempts()
    attempts = [a for exam in exams() for a in outcomes(exam, [r for r in repeated if r.exam_id == exam.id], rng)]
    make_always_right(attempts, int(published()["always_right_questions"]), rng)
    _add_clicks(attempts, rng)
    _schedule(attempts, rng)
    single = [attempt for attempt in attempts if attempt.messages == 1]
    for attempt in rng.sample(single, int(published()["certification_null"])):
        attempt.certification = "null"
    plan = [Slot(attempt.started, attempt, False) for attempt in attempts]
    for attempt in attempts:
        for _ in range(attempt.messages - 1):
            plan.append(Slot(attempt.started + rng.randint(MINUTE, 2 * HOUR), attempt, True))
    return sorted(plan, key=attrgetter("at"))


def _add_clicks(attempts: list[Attempt], rng: Random) -> None:
    """Give every attempt but the published number its clicks; only such as answered nothing can be without."""
    count = int(published()["attempts_with_clicks"])
    unanswered = [attempt for attempt in attempts if not attempt.answered]
    without = rng.sample(unanswered, len(attempts) - count)
    clicked = [attempt for attempt in attempts if attempt not in without]
    span = int(published()["click_span_seconds"])
    first = int(published()["duration_seconds"]) - span
    times = clicks([attempt.answered for attempt in clicked], first, span, rng)
    for attempt, time in zip(clicked, times, strict=True):
        attempt.clicks = time


def _schedule(attempts: list[Attempt], rng: Random) -> None:
    """Give every attempt its time: first those with constraints, then by the last day of the exam."""
    free = _moments(len(attempts), rng)
    rng.shuffle(free)
    busy_hours = {int(row["day_or_hour"]) for row in facts("busy_times") if row["day_or_hour"].isdigit()}

    def take(attempt: Attempt, fits: Callable[[int], bool]) -> None:
        attempt.started = free.pop(next(n for n, moment in enumerate(free) if fits(moment)))

    todo = {id(attempt): attempt for attempt in attempts}
    for attempt in attempts:
        if attempt.messages > 1:  # outside the published hours, which count messages as well as attempts
            take(todo.pop(id(attempt)), lambda moment: moment % DAY // HOUR not in busy_hours)
    for exam in {attempt.exam.id: attempt.exam for attempt in attempts if attempt.exam.last_day}.values():
        first, last = [attempt for attempt in todo.values() if attempt.exam is exam][:2]
        for attempt, day in ((first, exam.first_day), (last, exam.last_day)):
            take(todo.pop(id(attempt)), lambda moment, day=day: _day(moment) == day)  # type: ignore[misc]
    for attempt in sorted(todo.values(), key=lambda attempt: attempt.exam.last_day or date.max):
        end = attempt.exam.last_day or date.max
        take(attempt, lambda moment, end=end: _day(moment) <= end)  # type: ignore[misc]


def _day(moment: int) -> date:
    return datetime.fromtimestamp(moment // 1000, UTC).date()


def _moments(count: int, rng: Random) -> list[int]:
    """Times of `count` attempts with the published shares of days and hours; the first and the last are given."""
    begin, end = (milliseconds(published()[f"{which}_started_at"]) for which in ("min", "max"))
    given = {row["day_or_hour"]: int(row["attempts"]) for row in facts("busy_times")}
    dates = [_day(begin) + timedelta(days=n) for n in range((end // DAY) - (begin // DAY) + 1)]
    per_hour = _shares(count, HOURS, [given.get(str(hour)) for hour in range(24)])
    per_day = _shares(count, [_busyness(day, rng) for day in dates], [given.get(str(day)) for day in dates])
    hours = [hour for hour, share in enumerate(per_hour) for _ in range(share)]
    for moment in (begin, end):
        hours.remove(moment % DAY // HOUR)
        per_day[moment // DAY - begin // DAY] -= 1
    rng.shuffle(hours)
    hours.sort(key=lambda hour: begin % DAY // HOUR < hour < end % DAY // HOUR)  # these are safe on any day
    moments = [begin, end]
    days = sorted(range(len(dates)), key=lambda day: day in (0, len(dates) - 1))  # the outer two come last
    outer = len(hours) - per_day[0] - per_day[-1]
    hours[:outer] = rng.sample(hours[:outer], outer)
    places = [day for day in days for _ in range(per_day[day])]
    for day, hour in zip(places, hours, strict=True):
        moments.append((begin // DAY + day) * DAY + hour * HOUR + rng.randrange(HOUR))
    return moments


def _busyness(day: date, rng: Random) -> float:
    """The share of a day: weekends and the turn of the year are quiet."""
    is_quiet = day.weekday() > 4 or (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 1)
    return (0.45 if is_quiet else 1.0) * rng.uniform(0.8, 1.2)


def _shares(total: int, weights: Sequence[float], given: list[int | None]) -> list[int]:
    """Share `total` by weight where the share is not given."""
    rest = total - sum(share or 0 for share in given)
    weights = [weight if share is None else 0.0 for weight, share in zip(weights, given, strict=True)]
    return [new if share is None else share for new, share in zip(shares(rest, weights), given, strict=True)]
