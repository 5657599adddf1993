"""Published figures to a plan: 3,242 attempts with their results and times, and 3,280 slots for messages.

All exact figures are met here, before any message is written: scores from each exam's histogram, results of
questions by what the exam leaves open, days and hours from shares that are rounded so that they add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from operator import attrgetter
from random import Random
from typing import NamedTuple

from sample.catalog import Exam, Repeated, exams, facts, published, repeated_attempts

CORRECT, INCORRECT, MISSED_SOME, UNANSWERED = "correct", "incorrect", "missed_some", "unanswered"
DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
# Invented shares of the UTC hours that are not published (those from 12 to 15 are): America's day is the busy one.
HOURS = [
    110,
    95,
    85,
    80,
    75,
    75,
    80,
    85,
    90,
    95,
    100,
    110,
    0,
    0,
    0,
    0,
    205,
    200,
    195,
    195,
    190,
    180,
    155,
    130,
]


@dataclass
class Attempt:
    """One attempt as planned. `results` holds one result per question of the exam, in the exam's order."""

    exam: Exam
    results: list[str]
    user_exam_id: str | None = None
    messages: int = 1
    first_correct: bool | None = None  # is the question shown first answered right? None: whatever comes
    gives_up: bool = False  # what is unanswered comes last
    certification: str = '"false"'
    started: int = 0  # milliseconds since 1970, UTC

    def lacks(self, result: str, at: int) -> bool:
        """Is the question at this place one with several right answers, and its result another?"""
        return self.exam.questions[at].right > 1 and self.results[at] != result


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
    again = repeated_attempts()
    attempts = [a for exam in exams() for a in _outcomes(exam, [r for r in again if r.exam_id == exam.id], rng)]
    _schedule(attempts, rng)
    single = [attempt for attempt in attempts if attempt.messages == 1]
    for attempt in rng.sample(single, int(published()["certification_null"])):
        attempt.certification = "null"
    plan = [Slot(attempt.started, attempt, False) for attempt in attempts]
    for attempt in attempts:
        for _ in range(attempt.messages - 1):
            plan.append(Slot(attempt.started + rng.randint(MINUTE, 2 * HOUR), attempt, True))
    return sorted(plan, key=attrgetter("at"))


def _outcomes(exam: Exam, again: list[Repeated], rng: Random) -> list[Attempt]:
    """All attempts of an exam, the repeated ones first."""
    left = list(exam.histogram)
    for repeated in again:
        left[repeated.correct] -= repeated.messages
    scores = [score for score, count in enumerate(left) for _ in range(count)]
    rng.shuffle(scores)
    attempts = [Attempt(exam, _results(exam, r.correct, rng), r.user_exam_id, r.messages, r.correct > 0) for r in again]
    single = [Attempt(exam, _results(exam, score, rng)) for score in scores]
    _leave_incomplete(single, exam.incomplete, rng)
    _leave_unanswered(single, exam.unanswered, rng)
    attempts += single
    if exam.first_correct is not None:
        _choose_first(attempts, exam.first_correct, rng)
    return attempts


def _results(exam: Exam, correct: int, rng: Random) -> list[str]:
    """The harder a question, the likelier it is among the wrong ones."""
    hardest_first = sorted(
        range(len(exam.questions)), key=lambda place: rng.expovariate(exam.questions[place].difficulty)
    )
    wrong = hardest_first[: len(exam.questions) - correct]
    return [INCORRECT if place in wrong else CORRECT for place in range(len(exam.questions))]


def _leave_incomplete(attempts: list[Attempt], count: int, rng: Random) -> None:
    """Turn `count` wrong answers to questions with several right options into incomplete ones."""
    where = [(a, place) for a in attempts for place in range(len(a.results)) if a.lacks(CORRECT, place)]
    for attempt in rng.sample(attempts, len(attempts)):
        if len(where) >= count:
            break
        # Too few of those questions went wrong: swap one with a wrong answer that cannot be incomplete.
        places = range(len(attempt.results))
        right = [place for place in places if attempt.lacks(INCORRECT, place)]
        wrong = [p for p in places if attempt.results[p] != CORRECT and attempt.exam.questions[p].right == 1]
        for to, source in zip(right, wrong, strict=False):
            attempt.results[to], attempt.results[source] = INCORRECT, CORRECT
            where.append((attempt, to))
    for attempt, place in rng.sample(where, count):
        attempt.results[place] = MISSED_SOME


def _leave_unanswered(attempts: list[Attempt], count: int, rng: Random) -> None:
    """Turn `count` wrong answers into missing ones, often all those of an attempt."""
    while count:
        for attempt in rng.sample(attempts, len(attempts)):
            wrong = [place for place, result in enumerate(attempt.results) if result == INCORRECT]
            attempt.gives_up |= rng.random() < 0.5
            wanted = len(wrong) if attempt.gives_up else min(1, len(wrong))
            for place in rng.sample(wrong, min(count, wanted)):
                attempt.results[place] = UNANSWERED
                count -= 1


def _choose_first(attempts: list[Attempt], count: int, rng: Random) -> None:
    """Say of every attempt whether its first question is answered right, so that `count` of them are."""
    open_to_choice = []
    for attempt in attempts:
        if attempt.first_correct is None and CORRECT in attempt.results:
            attempt.first_correct = set(attempt.results) == {CORRECT}
            open_to_choice += [] if attempt.first_correct else [attempt]
    for attempt in rng.sample(open_to_choice, count - sum(a.first_correct is True for a in attempts)):
        attempt.first_correct = True


def _schedule(attempts: list[Attempt], rng: Random) -> None:
    """Give every attempt its time: first those that are choosy, then by the last day of the exam."""
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
    known = {row["day_or_hour"]: int(row["attempts"]) for row in facts("busy_times")}
    dates = [_day(begin) + timedelta(days=n) for n in range((end // DAY) - (begin // DAY) + 1)]
    per_hour = _shares(count, HOURS, [known.get(str(hour)) for hour in range(24)])
    per_day = _shares(count, [_busyness(day, rng) for day in dates], [known.get(str(day)) for day in dates])
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


def _shares(total: int, weights: Sequence[float], known: list[int | None]) -> list[int]:
    """Share `total` by weight where the share is not known; rounded so that the sum is exact."""
    rest = total - sum(share or 0 for share in known)
    unknown = [weight if share is None else 0.0 for weight, share in zip(weights, known, strict=True)]
    scale = rest / sum(unknown)
    ends = [0, *(round(scale * weight) for weight in accumulate(unknown))]
    rounded = [end - start for start, end in pairwise(ends)]
    return [new if share is None else share for new, share in zip(rounded, known, strict=True)]
