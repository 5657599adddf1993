"""Exams to attempts: which question was answered how, and at which place, so that every published score holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sample.catalog import TEST_EXAM, Exam, RepeatedAttempt
from sample.clicks import Clicks

CORRECT, INCORRECT, MISSED_SOME, UNANSWERED = "correct", "incorrect", "missed_some", "unanswered"


@dataclass(eq=False)
class Attempt:
    """One attempt as planned. `results` holds one result per question of the exam, in the exam's order."""

    exam: Exam
    results: list[str]
    user_exam_id: str | None = None
    messages: int = 1
    first_correct: bool | None = None  # is the question shown first answered right? None: whatever comes
    correct_places: set[int] | None = None  # places of the questions answered right; None: wherever they come
    third_right_option: int | None = None  # place of the right option in the question shown third
    gives_up: bool = False  # unanswered questions come last
    certification: str = '"false"'
    started: int = 0  # milliseconds since 1970, UTC
    clicks: Clicks | None = None  # None: the candidate clicked nothing

    def lacks(self, result: str, at: int) -> bool:
        """Is the question at this place one with several right answers, and its result another?"""
        return self.exam.questions[at].right > 1 and self.results[at] != result

    @property
    def score(self) -> int:
        """The number of right answers."""
        return self.results.count(CORRECT)

    @property
    def answered(self) -> int:
        """The number of questions answered in any way."""
        return len(self.results) - self.results.count(UNANSWERED)


def outcomes(exam: Exam, repeated: list[RepeatedAttempt], rng: Random) -> list[Attempt]:
    """All attempts of an exam, the repeated ones first."""
    left = list(exam.histogram)
    for again in repeated:
        left[again.correct] -= again.messages
    scores = [score for score, count in enumerate(left) for _ in range(count)]
    rng.shuffle(scores)
    attempts = [
        Attempt(exam, _results(exam, again.correct, rng), again.user_exam_id, again.messages, again.correct > 0)
        for again in repeated
    ]
    single = [Attempt(exam, _results(exam, score, rng)) for score in scores]
    _leave_incomplete(single, exam.incomplete_histogram, rng)
    _leave_unanswered(single, exam.unanswered, exam.all_wrong, rng)
    attempts += single
    if exam.first_correct is not None:
        _choose_first(attempts, exam.first_correct, rng)
    if exam.correct_by_place:
        _place_correct(attempts, exam.correct_by_place, rng)
    if exam.third_right_option:
        _place_third_right_option(attempts, exam.third_right_option, rng)
    return attempts


def _results(exam: Exam, correct: int, rng: Random) -> list[str]:
    """The harder a question, the likelier it is among the wrong ones."""
    hardest_first = sorted(
        range(len(exam.questions)), key=lambda place: rng.expovariate(exam.questions[place].difficulty)
    )
    wrong = hardest_first[: len(exam.questions) - correct]
    return [INCORRECT if place in wrong else CORRECT for place in range(len(exam.questions))]


def _leave_incomplete(attempts: list[Attempt], histogram: Sequence[int], rng: Random) -> None:
    """Turn wrong answers into incomplete ones; the histogram counts attempts by how many they get, from 0 up."""
    remaining = rng.sample(attempts, len(attempts))
    for incomplete in range(len(histogram) - 1, 0, -1):
        chosen = [a for a in remaining if len(a.results) - a.score >= incomplete][: histogram[incomplete]]
        for attempt in chosen:
            _make_incomplete(attempt, incomplete, rng)
            remaining.remove(attempt)


def _make_incomplete(attempt: Attempt, count: int, rng: Random) -> None:
    """Only questions with several right options can be incomplete: swap wrong answers until enough of them are."""
    places = range(len(attempt.results))
    candidates = [place for place in places if attempt.lacks(CORRECT, place)]
    right = [place for place in places if attempt.lacks(INCORRECT, place)]
    wrong = [p for p in places if attempt.results[p] != CORRECT and attempt.exam.questions[p].right == 1]
    for to, source in zip(right[: max(0, count - len(candidates))], wrong, strict=False):
        attempt.results[to], attempt.results[source] = INCORRECT, CORRECT
        candidates.append(to)
    for place in rng.sample(candidates, count):
        attempt.results[place] = MISSED_SOME


def _leave_unanswered(attempts: list[Attempt], count: int, all_wrong: int | None, rng: Random) -> None:
    """Turn `count` wrong answers into missing ones, often all those of an attempt.

    Where `all_wrong` is published, as many attempts without a right answer keep all their wrong ones; half of
    the others leave out everything.
    """
    shuffled = rng.sample(attempts, len(attempts))
    if all_wrong is not None:
        hopeless = [attempt for attempt in shuffled if attempt.results.count(INCORRECT) == len(attempt.results)]
        shuffled = [attempt for attempt in shuffled if attempt not in hopeless[:all_wrong]]
        for number, attempt in enumerate(hopeless[all_wrong:]):
            attempt.gives_up = number % 2 == 0
            count -= _leave_out(attempt, len(attempt.results) if attempt.gives_up else 1, rng)
    while count:
        for attempt in shuffled:
            attempt.gives_up |= rng.random() < 0.5
            count -= _leave_out(attempt, min(count, len(attempt.results) if attempt.gives_up else 1), rng)
        rng.shuffle(shuffled)


def _leave_out(attempt: Attempt, most: int, rng: Random) -> int:
    """Leave up to `most` of an attempt's wrong answers out; returns how many."""
    wrong = [place for place, result in enumerate(attempt.results) if result == INCORRECT]
    for place in rng.sample(wrong, min(most, len(wrong))):
        attempt.results[place] = UNANSWERED
    return min(most, len(wrong))


def _choose_first(attempts: list[Attempt], count: int, rng: Random) -> None:
    """Say of every attempt whether its first question is answered right, so that `count` of them are."""
    open_to_choice = []
    for attempt in attempts:
        if attempt.first_correct is None and CORRECT in attempt.results:
            attempt.first_correct = set(attempt.results) == {CORRECT}
            open_to_choice += [] if attempt.first_correct else [attempt]
    for attempt in rng.sample(open_to_choice, count - sum(a.first_correct is True for a in attempts)):
        attempt.first_correct = True


def _place_correct(attempts: list[Attempt], messages: Sequence[int], rng: Random) -> None:
    """Choose the places of every attempt's right answers, so that each place has its number of messages.

    The first place is chosen already, by `first_correct`.
    """
    surplus = [-count for count in messages]
    for attempt in attempts:
        first = {0} if attempt.first_correct else set()
        attempt.correct_places = first | set(rng.sample(range(1, len(messages)), attempt.score - len(first)))
        for place in attempt.correct_places:
            surplus[place] += attempt.messages
    while any(surplus):
        full, short = surplus.index(max(surplus)), surplus.index(min(surplus))
        places = rng.choice([
            a.correct_places for a in attempts
            if a.messages == 1 and a.correct_places and full in a.correct_places and short not in a.correct_places
        ])  # fmt: skip
        places.symmetric_difference_update({full, short})
        surplus[full] -= 1
        surplus[short] += 1


def _place_third_right_option(attempts: list[Attempt], messages: Sequence[int], rng: Random) -> None:
    """Choose where the right option of each attempt's third question stands."""
    left = Counter(dict(enumerate(messages)))
    for attempt in sorted(attempts, key=lambda attempt: -attempt.messages):
        places = [place for place, count in left.items() if count >= attempt.messages]
        (attempt.third_right_option,) = rng.choices(places, [left[place] for place in places])
        left[attempt.third_right_option] -= attempt.messages


def make_always_right(attempts: Sequence[Attempt], count: int, rng: Random) -> None:
    """Move wrong answers between the questions of an attempt until `count` questions are never answered wrong.

    More of them are published than come by chance. Questions that were replaced, and those of the exam for testing,
    are left alone.
    """
    by_exam: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.exam.id != TEST_EXAM and attempt.exam.questions == attempt.exam.earlier:
            by_exam.setdefault(attempt.exam.id, []).append(attempt)
    wrong = {
        (exam, place): sum(attempt.results[place] != CORRECT for attempt in taken)
        for exam, taken in by_exam.items()
        for place in range(len(taken[0].results))
    }
    missing = count - sum(number == 0 for number in wrong.values())
    for exam, place in sorted(wrong, key=lambda key: (wrong[key], rng.random())):
        if missing <= 0:
            break
        if wrong[exam, place] and _moves_away(by_exam[exam], place):
            missing -= 1


def _moves_away(attempts: list[Attempt], place: int) -> bool:
    """Give every wrong answer to this question to one that was answered wrong before; whether that could be done."""
    moves: list[tuple[Attempt, int]] = []
    for attempt in (attempt for attempt in attempts if attempt.results[place] != CORRECT):
        for other in range(len(attempt.results)):
            fits = attempt.results[place] != MISSED_SOME or attempt.exam.questions[other].right > 1
            if fits and attempt.results[other] == CORRECT and any(a.results[other] != CORRECT for a in attempts):
                moves.append((attempt, other))
                break
        else:
            return False
    for attempt, other in moves:
        attempt.results[place], attempt.results[other] = CORRECT, attempt.results[place]
    return True
