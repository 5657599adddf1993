"""A planned attempt to the text of its message.

Shuffling options and writing out questions would be most of the work, so up to SHAPES texts of each question
and result are kept, with gaps for the times of the clicks, and used again in other messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

from sample.catalog import TEST_EXAM, Question, uuid4
from sample.clicks import pause
from sample.outcomes import CORRECT, INCORRECT, MISSED_SOME, UNANSWERED, Attempt
from sample.plan import MINUTE, milliseconds

MARK = "5e17ec71c0"  # in the middle of every keen_id: this message is synthetic
SHAPES = 48
REPLACED_AT = milliseconds("2017-12-19T00:00:00.000Z")  # from here on the earlier questions are replaced
SECONDS = [f"{moment // 1000:02d}.{moment % 1000:03d}Z" for moment in range(MINUTE)]


class Variant(NamedTuple):
    """Which of the texts of a question and result fit an attempt."""

    right_at: int | None = None  # the place of the one right option, where it is given
    unchecks: bool | None = None  # is an option clicked and unchecked again? None: now and then


class Shape(NamedTuple):
    """A question as JSON with `%s` for each click's time, and the order in which the clicks were made."""

    text: str
    clicks: tuple[int, ...]


class Minutes(dict[int, str]):
    """The minutes since 1970 as text up to the seconds, each made once."""

    def __missing__(self, minute: int) -> str:
        self[minute] = text = datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")
        return text


class Writer:
    """Writes messages; one random source decides everything."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.serial = rng.getrandbits(24)
        self.shapes: dict[tuple[str, str, Variant], list[Shape]] = {}
        self.minutes = Minutes()
        self.pauses = [pause(rng) for _ in range(8192)]

    def write(self, attempt: Attempt, started: int, user_exam_id: str | None) -> bytes:
        """The message of an attempt; without an id it gets a new one."""
        exam, rng = attempt.exam, self.rng
        questions, now = self._questions(attempt, started)
        second = (now + 900 + int(rng.random() * 2600)) // 1000
        # Microseconds went through a float on their way, which shows as a seventh digit now and then.
        noise = 2.0**-22 if rng.random() < 0.4 else 0.0
        arrived = repr(second + (1 + int(rng.random() * 999_998)) / 1_000_000 + noise)
        self.serial = self.serial + 1 & 0xFFFFFF
        return (
            f'{{"keen_timestamp":"{arrived}","max_attempts":"1.0","started_at":"{self._time(started)}",'
            f'"base_exam_id":"{exam.id}","user_exam_id":"{user_exam_id or uuid4(rng.getrandbits(128))}",'
            f'"sequences":{{"questions":[{questions}],"attempt":1,"id":"{exam.question_set_id}"'
            f'{self._counts(attempt)}}},"keen_created_at":"{arrived}","certification":{attempt.certification},'
            f'"keen_id":"{second:08x}{MARK}{self.serial:06x}","exam_name":{_quoted(exam.name)}}}'
        ).encode()

    def _time(self, moment: int) -> str:
        minute, rest = divmod(moment, MINUTE)
        return self.minutes[minute] + SECONDS[rest]

    def _questions(self, attempt: Attempt, started: int) -> tuple[str, int]:
        """The questions as JSON in the order shown, and when the last was answered."""
        shapes = []
        for place, (question, result) in enumerate(self._ordered(attempt, started)):
            right_at = attempt.third_right_option if place == 2 else None
            # An attempt without an answer has a click in its first question, or none at all.
            unchecks = None if attempt.answered else attempt.clicks is not None and (place == 0 or None)
            shapes.append(self._shape(question, result, Variant(right_at, unchecks)))
        times = iter(self._click_times(attempt, started, sum(len(shape.clicks) for shape in shapes)))
        parts = []
        for shape in shapes:
            own = [next(times) for _ in shape.clicks]
            parts.append(shape.text % tuple([own[click] for click in shape.clicks]))
        first, span, skew = attempt.clicks or (0, 0, 0)
        return ",".join(parts), started + (first - skew + span) * 1000

    def _click_times(self, attempt: Attempt, started: int, count: int) -> Iterator[str]:
        """The times of all clicks in their order: the planned seconds, with pauses between them at random."""
        if not attempt.clicks:
            return
        random, minutes, pauses = self.rng.random, self.minutes, self.pauses
        first = (started // 1000 + attempt.clicks.first) * 1000
        last = first + attempt.clicks.span * 1000 + 500 + int(random() * 500)
        first += int(random() * 500)
        ends = list(accumulate([pauses[int(random() * 8192)] for _ in range(count - 1)], initial=0.0))
        scale = (last - first) / ends[-1] if count > 1 else 0.0
        for end in ends:
            minute, rest = divmod(first + int(end * scale), MINUTE)
            yield minutes[minute] + SECONDS[rest]

    def _ordered(self, attempt: Attempt, started: int) -> list[tuple[Question, str]]:
        """Questions with results in the order shown."""
        exam = attempt.exam
        questions = exam.questions if started >= REPLACED_AT else exam.earlier
        order = list(zip(questions, attempt.results, strict=True))
        self.rng.shuffle(order)
        if attempt.gives_up:
            order.sort(key=lambda pair: pair[1] == UNANSWERED)
        if attempt.correct_places is not None:
            right, wrong = (iter([p for p in order if (p[1] == CORRECT) is is_right]) for is_right in (True, False))
            return [next(right if place in attempt.correct_places else wrong) for place in range(len(order))]
        if attempt.first_correct is not None and attempt.first_correct != (order[0][1] == CORRECT):
            other = next(n for n, pair in enumerate(order) if (pair[1] == CORRECT) == attempt.first_correct)
            order[0], order[other] = order[other], order[0]
        return order

    def _counts(self, attempt: Attempt) -> str:
        """The counts, which messages of the exam for testing lack or have empty."""
        if attempt.exam.id == TEST_EXAM:
            return ',"counts":{}' if self.rng.random() < 0.4 else ""
        results = attempt.results
        correct, unanswered, total = results.count(CORRECT), results.count(UNANSWERED), len(results)
        return (
            f',"counts":{{"incomplete":{results.count(MISSED_SOME)},"submitted":{total - unanswered},'
            f'"incorrect":{results.count(INCORRECT)},"all_correct":{"true" if correct == total else "false"},'
            f'"correct":{correct},"total":{total},"unanswered":{unanswered}}}'
        )

    def _shape(self, question: Question, result: str, variant: Variant) -> Shape:
        """One of the kept texts, or a new one as long as there are few."""
        kept = self.shapes.setdefault((question.id, result, variant), [])
        choice = int(self.rng.random() * SHAPES)
        if choice < len(kept):
            return kept[choice]
        kept.append(self._draw(question, result, variant))
        return kept[-1]

    def _draw(self, question: Question, result: str, variant: Variant) -> Shape:
        """A new text: options in a random order, some of them checked, one perhaps unchecked again."""
        rng = self.rng
        checked = self._checked(question, result)
        undone = [n for n in range(len(question.options)) if n not in checked]
        unchecks = rng.random() < 0.15 if variant.unchecks is None else variant.unchecks
        clicked = checked | set(rng.sample(undone, 1) if undone and unchecks else [])
        order = rng.sample(range(len(question.options)), len(question.options))
        if variant.right_at is not None:
            order.remove(0)
            order.insert(variant.right_at, 0)
        options = ",".join(_option(question, n, n in checked, n in clicked) for n in order)
        flags = [
            f'"user_incomplete":{"true" if result == MISSED_SOME else "false"},'
            f'"user_correct":{"true" if result == CORRECT else "false"},',
            f'"user_submitted":{"false" if result == UNANSWERED else "true"},',
        ]
        if question.for_testing and rng.random() < 0.5:
            flags = ["", ""]
        text = f'{{{flags[0]}"options":[{options}],{flags[1]}"id":"{question.id}","user_result":"{result}"}}'
        return Shape(text, tuple(rng.sample(range(len(clicked)), len(clicked))))

    def _checked(self, question: Question, result: str) -> set[int]:
        """The options that are checked at the end."""
        right = range(question.right)
        if result == CORRECT:
            return set(right)
        if result == MISSED_SOME:
            return set(self.rng.sample(right, self.rng.randint(1, question.right - 1)))
        if result == UNANSWERED:
            return set()
        lure = self.rng.choices(range(question.right, len(question.options)), question.lures)
        also = [n for n in right if question.right > 1 and self.rng.random() < 0.7]
        return {*lure, *also}


@cache
def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _option(question: Question, number: int, is_checked: bool, is_clicked: bool) -> str:
    at = '"at":"%s",' if is_clicked else ""
    right = '"correct":true' if number < question.right else ""
    identity = f'"id":"{question.options[number]}"'
    if is_checked:
        return f'{{"checked":true,{at}{identity},"submitted":1{right and "," + right}}}'
    return f'{{"checked":false,{at}{right and right + ","}{identity}}}'
