"""A planned attempt to the text of its message.

Shuffling options and writing out questions would be most of the work, so up to SHAPES texts of each question
and result are kept, with gaps for the times of the clicks, and used again in other messages.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import NamedTuple

from sample.catalog import TEST_EXAM, Question, uuid4
from sample.plan import CORRECT, INCORRECT, MINUTE, MISSED_SOME, UNANSWERED, Attempt, milliseconds

MARK = "5e17ec71c0"  # in the middle of every keen_id: this message is synthetic
SHAPES = 48
REPLACED_AT = milliseconds("2017-12-19T00:00:00.000Z")  # from here on the replaced questions are not asked
SECONDS = [f"{moment // 1000:02d}.{moment % 1000:03d}Z" for moment in range(MINUTE)]


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
        self.shapes: dict[tuple[str, str], list[Shape]] = {}
        self.minutes = Minutes()
        self.pauses = [round(1000 * min(rng.lognormvariate(1.9, 0.9), 900)) for _ in range(8192)]

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
        random, pauses, minutes = self.rng.random, self.pauses, self.minutes
        skew, now, parts = self._clock_skew(), started, []
        for question, result in self._shown(attempt, started):
            shape = self._shape(question, result)
            times = []
            for _ in shape.clicks:
                now += pauses[int(random() * 8192)]
                minute, rest = divmod(now + skew, MINUTE)
                times.append(minutes[minute] + SECONDS[rest])
            parts.append(shape.text % tuple([times[click] for click in shape.clicks]))
        return ",".join(parts), now

    def _shown(self, attempt: Attempt, started: int) -> list[tuple[Question, str]]:
        """Questions with results in the order shown."""
        exam = attempt.exam
        asked = exam.questions if started >= REPLACED_AT else exam.earlier
        shown = list(zip(asked, attempt.results, strict=True))
        self.rng.shuffle(shown)
        if attempt.gives_up:
            shown.sort(key=lambda pair: pair[1] == UNANSWERED)
        if attempt.first_correct is not None and attempt.first_correct != (shown[0][1] == CORRECT):
            other = next(n for n, pair in enumerate(shown) if (pair[1] == CORRECT) == attempt.first_correct)
            shown[0], shown[other] = shown[other], shown[0]
        return shown

    def _clock_skew(self) -> int:
        """How far the client's clock is ahead: mostly less than a second, minutes or hours for a few."""
        chance = self.rng.random()
        if chance < 0.93:
            return int(self.rng.random() * 1000) - 500
        if chance < 0.98:
            return int(self.rng.gauss(3 * MINUTE, 6 * MINUTE))
        return int(self.rng.uniform(60, 480)) * MINUTE

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

    def _shape(self, question: Question, result: str) -> Shape:
        """One of the kept texts, or a new one as long as there are few."""
        kept = self.shapes.setdefault((question.id, result), [])
        choice = int(self.rng.random() * SHAPES)
        if choice < len(kept):
            return kept[choice]
        kept.append(self._draw(question, result))
        return kept[-1]

    def _draw(self, question: Question, result: str) -> Shape:
        """A new text: options in a random order, some of them checked, one perhaps unchecked again."""
        rng = self.rng
        checked = self._checked(question, result)
        undone = [n for n in range(len(question.options)) if n not in checked]
        clicked = checked | set(rng.sample(undone, 1) if undone and rng.random() < 0.15 else [])
        shown = rng.sample(range(len(question.options)), len(question.options))
        options = ",".join(_option(question, n, n in checked, n in clicked) for n in shown)
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
