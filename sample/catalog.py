"""CSV files to exams: what is published of each, with invented questions and options.

- exams.csv: a row per exam id. Empty means not published.
  `correct_histogram` counts its messages by the number of right answers, from 0 up, so its length and sum also
  say how many questions and messages there are; `incomplete_histogram` by the number of incomplete ones.
  `unanswered` counts question rows of all its messages, `all_wrong` messages with every answer incorrect, `options`
  the options of every question, `first_correct` attempts whose first question was answered right,
  `correct_by_place` messages with a right answer at each place, `third_right_option` messages by the place of the
  right option in the question shown third. Both days are those of started_at.
  Invented: the histogram of the exam for testing, whose messages have no counts; how the 96 first_correct of
  Introduction to Python are shared by its two ids; the incomplete histograms, which are one solution of many for
  the published sums per exam and the published shares of all messages.
- repeated_attempts.csv: the attempts that were sent more than once, with their number of right answers.
- busy_times.csv: attempts by UTC hour and by day, where published.
- published_figures.csv: the figures that tests compare the sample with; the plan reads some of them too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import NamedTuple

FACTS = Path(__file__).parent
TEST_EXAM = "example-id"
# Options, and how many of them are right, by how often they occur in the genuine messages that are public.
ONE_RIGHT = [(4, 1)] * 25 + [(3, 1)] * 7 + [(5, 1)] * 8 + [(6, 1)] * 3 + [(2, 1)] * 2
SEVERAL_RIGHT = [(4, 2)] * 13 + [(4, 3)] * 5 + [(6, 3)] * 4 + [(5, 2)] * 4 + [(3, 2)] * 3 + [(6, 2)] * 2


class Question(NamedTuple):
    """A question of an exam. The first `right` of its options are right ones."""

    id: str
    options: tuple[str, ...]
    right: int
    difficulty: float  # weight of being answered wrong
    lures: tuple[float, ...]  # weight of each wrong option of being picked
    for_testing: bool  # questions of the exam for testing may lack their flags


@dataclass(frozen=True)
class Exam:
    """The published facts of one exam id, with invented questions."""

    id: str
    name: str
    question_set_id: str
    histogram: tuple[int, ...]
    incomplete_histogram: tuple[int, ...]
    unanswered: int
    all_wrong: int | None
    first_correct: int | None
    correct_by_place: tuple[int, ...]
    third_right_option: tuple[int, ...]
    first_day: date | None
    last_day: date | None
    questions: tuple[Question, ...]
    earlier: tuple[Question, ...]  # the questions before one of them was replaced; mostly the same


class RepeatedAttempt(NamedTuple):
    """An attempt that was sent more than once."""

    user_exam_id: str
    exam_id: str
    messages: int
    correct: int


def facts(name: str) -> Iterator[dict[str, str]]:
    """Rows of one of the CSV files beside this module."""
    with (FACTS / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def published() -> dict[str, str]:
    """The published figures by name."""
    return {row["figure"]: row["value"] for row in facts("published_figures")}


def repeated_attempts() -> list[RepeatedAttempt]:
    """The attempts that were sent more than once."""
    return [
        RepeatedAttempt(row["user_exam_id"], row["base_exam_id"], int(row["messages"]), int(row["correct"]))
        for row in facts("repeated_attempts")
    ]


def uuid4(bits: int) -> str:
    """128 random bits as a UUID of version 4."""
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[bits >> 62 & 3]}{text[17:20]}-{text[20:]}"


def exams() -> list[Exam]:
    """All exams, the most taken first; the same whatever the seed, as an exam's questions stay the same."""
    every = [_exam(row) for row in facts("exams")]
    replaced = int(published()["distinct_exam_question_pairs"]) - sum(len(exam.questions) for exam in every)
    return [_with_replaced_question(exam) if place < replaced else exam for place, exam in enumerate(every)]


def _exam(row: dict[str, str]) -> Exam:
    histogram = _integers(row["correct_histogram"])
    rng = Random(row["base_exam_id"])  # noqa: S311 - invented data, and the same at every run
    testing = row["base_exam_id"] == TEST_EXAM
    question_set_id = uuid4(rng.getrandbits(128))
    questions = []
    for number in range(len(histogram) - 1):
        options, right = rng.choice(SEVERAL_RIGHT if number < int(row["multi_answer_questions"]) else ONE_RIGHT)
        questions.append(_question(rng, int(row["options"] or options), right, testing))
    return Exam(
        id=row["base_exam_id"],
        name=row["exam_name"],
        question_set_id=question_set_id,
        histogram=histogram,
        incomplete_histogram=_integers(row["incomplete_histogram"]),
        unanswered=int(row["unanswered"]),
        all_wrong=int(row["all_wrong"]) if row["all_wrong"] else None,
        first_correct=int(row["first_correct"]) if row["first_correct"] else None,
        correct_by_place=_integers(row["correct_by_place"]),
        third_right_option=_integers(row["third_right_option"]),
        first_day=date.fromisoformat(row["first_day"]) if row["first_day"] else None,
        last_day=date.fromisoformat(row["last_day"]) if row["last_day"] else None,
        questions=tuple(questions),
        earlier=tuple(questions),
    )


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())


def _question(rng: Random, options: int, right: int, for_testing: bool) -> Question:
    return Question(
        id=uuid4(rng.getrandbits(128)),
        options=tuple(uuid4(rng.getrandbits(128)) for _ in range(options)),
        right=right,
        difficulty=rng.lognormvariate(0.6 if right > 1 else 0.0, 0.8),
        lures=tuple(rng.lognormvariate(0.0, 0.9) for _ in range(options - right)),
        for_testing=for_testing,
    )


def _with_replaced_question(exam: Exam) -> Exam:
    """More pairs of exam and question are published than questions per attempt: some were replaced."""
    *others, last = exam.questions
    rng = Random(last.id)  # noqa: S311 - invented data, and the same at every run
    former = _question(rng, len(last.options), last.right, last.for_testing)
    return replace(exam, earlier=(*others, former))
