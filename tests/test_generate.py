"""The synthetic sample against the published figures, counted anew from the messages alone."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from etl.errors import UsageError
from sample.generate import messages, write

PROJECT = Path(__file__).parent.parent
DATASET = PROJECT.parent / "shared" / "dataset"
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
KEEN_ID = re.compile(r"[0-9a-f]{8}5e17ec71c0[0-9a-f]{6}")  # the mark that says: synthetic
TOP_LEVEL = [
    "keen_timestamp",
    "max_attempts",
    "started_at",
    "base_exam_id",
    "user_exam_id",
    "sequences",
    "keen_created_at",
    "certification",
    "keen_id",
    "exam_name",
]
FLAGS = ["user_incomplete", "user_correct", "user_submitted"]
RESULTS = {
    "correct": "correct",
    "incorrect": "incorrect",
    "missed_some": "incomplete",
    "unanswered": "unanswered",
}
Record = dict[str, Any]


@lru_cache(maxsize=3)
def records(attempts: int = 3280, seed: int = 1) -> list[Record]:
    return [json.loads(message) for message in messages(attempts, seed)]


def distinct(every: Iterable[Record]) -> list[Record]:
    return list({record["keen_id"]: record for record in every}.values())


def counts(record: Record) -> Record:
    return record["sequences"].get("counts") or {}


def questions(record: Record) -> list[Record]:
    listed: list[Record] = record["sequences"]["questions"]
    return listed


def clicks(record: Record) -> list[int]:
    """The seconds in which an attempt was clicked at."""
    return [int(seconds(option["at"])) for q in questions(record) for option in q["options"] if "at" in option]


def click_figures(single: list[Record]) -> dict[str, float]:
    """Durations as the public reports count them: in whole seconds, of every attempt with a click."""
    clicked = [(int(seconds(record["started_at"])), times) for record in single if (times := clicks(record))]
    duration = sum(max(times) - started for started, times in clicked)
    span = sum(max(times) - min(times) for _, times in clicked)
    return {
        "attempts_with_clicks": len(clicked),
        "duration_seconds": duration,
        "click_span_seconds": span,
        "mean_duration_minutes": duration / len(clicked) / 60,
        "mean_click_span_minutes": span / len(clicked) / 60,
    }


def all_wrong(every: list[Record], name: str) -> int:
    counted = [counts(record) for record in every if record["exam_name"] == name]
    return sum(count["incorrect"] == count["total"] for count in counted)


def always_right(every: list[Record]) -> int:
    """Questions of an exam that every message says are answered right, as the flag says it."""
    flags: dict[tuple[str, str], set[bool | None]] = defaultdict(set)
    for record in every:
        for question in questions(record):
            flags[record["base_exam_id"], question["id"]].add(question.get("user_correct"))
    return sum(values == {True} for values in flags.values())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def facts(name: str) -> list[dict[str, str]]:
    return rows(PROJECT / "sample" / f"{name}.csv")


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def figures(every: list[Record]) -> dict[str, str]:
    """Every published figure, counted from the messages; names as in the published list."""
    single = distinct(every)
    counted = [record for record in every if counts(record)]
    scores = [counts(record)["correct"] / counts(record)["total"] for record in counted]
    names = Counter(record["exam_name"] for record in every)
    times = [record["started_at"] for record in every]
    perfect = Counter(counts(record).get("all_correct") for record in every)
    pairs = {(record["base_exam_id"], question["id"]) for record in every for question in questions(record)}
    incomplete = Counter(counts(record)["incomplete"] / counts(record)["total"] for record in counted)
    result = {
        "messages": len(every),
        "distinct_exam_names": len(names),
        "distinct_base_exam_ids": len({record["base_exam_id"] for record in every}),
        "distinct_user_exam_ids": len({record["user_exam_id"] for record in every}),
        "distinct_keen_ids": len(single),
        "repeated_user_exam_ids": sum(n > 1 for n in Counter(r["user_exam_id"] for r in every).values()),
        "surplus_messages": len(every) - len(single),
        "certification_null": sum(record["certification"] is None for record in every),
        "max_attempts_1_0": sum(record["max_attempts"] == "1.0" for record in every),
        "min_started_at": min(times),
        "max_started_at": max(times),
        "test_records": sum(record["base_exam_id"] == "example-id" for record in every),
        "all_correct_true": perfect[True],
        "all_correct_false": perfect[False],
        "all_correct_null": perfect[None],
        "all_correct_true_distinct": sum(counts(record).get("all_correct") is True for record in single),
        "sum_question_count": sum(counts(record)["total"] for record in counted),
        "sum_correct_count": sum(counts(record)["correct"] for record in counted),
        "question_rows": sum(len(questions(record)) for record in every),
        "question_rows_distinct": sum(len(questions(record)) for record in single),
        "distinct_exam_question_pairs": len(pairs),
        "mean_score_percent": fmean(scores) * 100,
        "stddev_score": stdev(scores),
        "learning_git_messages": names["Learning Git"],
        "learning_git_distinct": sum(record["exam_name"] == "Learning Git" for record in single),
        "introduction_to_python": names["Introduction to Python"],
        "introduction_to_java_8": names["Introduction to Java 8"],
        "learning_to_program_with_r": names["Learning to Program with R"],
        "normal_forms_master_class": names["Normal Forms and All That Jazz Master Class"],
        "single_attempt_exams": sum(count == 1 for count in names.values()),
        "always_right_questions": always_right(every),
        "incomplete_share_1": incomplete[1],
        "incomplete_share_0_5": incomplete[0.5],
        "incomplete_share_0_25": incomplete[0.25],
        "incomplete_share_0": incomplete[0],
        "learning_git_all_wrong": all_wrong(every, "Learning Git"),
        "git_fundamentals_for_web_developers_all_wrong": all_wrong(every, "Git Fundamentals for Web Developers"),
    }
    return {name: str(value) for name, value in (result | click_figures(single)).items()}


def assert_published(counted: dict[str, str], published: dict[str, str]) -> None:
    assert set(counted) >= set(published)
    for name, value in published.items():
        if "mean_" in name or "stddev_" in name:
            assert float(counted[name]) == pytest.approx(float(value), abs=1e-9)
        else:
            assert counted[name] == value, name


@pytest.mark.parametrize("seed", [1, 2, 20180128])
def test_every_seed_gives_the_published_figures(seed: int) -> None:
    published = {row["figure"]: row["value"] for row in facts("published_figures")}
    counted = figures(records(seed=seed))
    assert set(counted) == set(published)
    assert_published(counted, published)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_exam_has_its_published_results(seed: int) -> None:
    by_exam = defaultdict(list)
    for record in records(seed=seed):
        by_exam[record["base_exam_id"]].append(record)
    exams = facts("exams")
    assert set(by_exam) == {exam["base_exam_id"] for exam in exams}
    for exam in exams:
        taken = by_exam[exam["base_exam_id"]]
        results = [[question["user_result"] for question in questions(record)] for record in taken]
        histogram = [int(count) for count in exam["correct_histogram"].split()]
        right = Counter(result.count("correct") for result in results)
        assert [right[score] for score in range(len(histogram))] == histogram
        assert {len(result) for result in results} == {len(histogram) - 1}
        incomplete = Counter(result.count("missed_some") for result in results)
        expected = [int(count) for count in exam["incomplete_histogram"].split()]
        assert [incomplete[count] for count in range(len(expected))] == expected and sum(expected) == len(taken)
        assert sum(result.count("unanswered") for result in results) == int(exam["unanswered"])
        assert {record["exam_name"] for record in taken} == {exam["exam_name"]}
        assert len({record["sequences"]["id"] for record in taken}) == 1
        days = [record["started_at"][:10] for record in taken]
        assert exam["first_day"] in ("", min(days)) and exam["last_day"] in ("", max(days))
        if exam["first_correct"]:
            first = [questions(record)[0]["user_result"] for record in distinct(taken)]
            assert first.count("correct") == int(exam["first_correct"])


@pytest.mark.parametrize("seed", [1, 2])
def test_learning_git_has_its_published_right_answers_and_options_by_place(seed: int) -> None:
    (exam,) = [exam for exam in facts("exams") if exam["exam_name"] == "Learning Git"]
    taken = [record for record in records(seed=seed) if record["exam_name"] == "Learning Git"]
    right = Counter(place for r in taken for place, q in enumerate(questions(r)) if q["user_result"] == "correct")
    assert [right[place] for place in range(5)] == [int(count) for count in exam["correct_by_place"].split()]
    flags = [tuple(option.get("correct", False) for option in questions(record)[2]["options"]) for record in taken]
    options = Counter(place for flag in flags for place, is_right in enumerate(flag) if is_right)
    assert [options[place] for place in range(4)] == [int(count) for count in exam["third_right_option"].split()]
    assert {len(question["options"]) for record in taken for question in questions(record)} == {4}


def test_a_message_is_an_attempt_by_either_id_and_names_its_exam() -> None:
    pairs = {(record["keen_id"], record["user_exam_id"]) for record in records()}
    assert len(pairs) == len(dict(pairs)) == len({attempt for _, attempt in pairs}) == 3242
    ids = ("keen_id", "user_exam_id", "base_exam_id", "exam_name")
    assert all(isinstance(record[key], str) and record[key].strip() for record in records() for key in ids)


def test_each_exam_has_its_number_of_questions_with_several_right_answers() -> None:
    several: dict[str, set[str]] = defaultdict(set)
    texts: dict[str, set[str]] = defaultdict(set)
    for record in records():
        for question in questions(record):
            texts[record["base_exam_id"]].add(question["id"])
            if sum(option.get("correct", False) for option in question["options"]) > 1:
                several[record["base_exam_id"]].add(question["id"])
    for exam in facts("exams"):
        replaced = len(texts[exam["base_exam_id"]]) - (len(exam["correct_histogram"].split()) - 1)
        surplus = len(several[exam["base_exam_id"]]) - int(exam["multi_answer_questions"])
        assert 0 <= surplus <= replaced <= 1


def test_repeated_attempts_are_the_published_ones_and_equal_to_the_byte() -> None:
    sent = defaultdict(list)
    for message in messages():
        sent[json.loads(message)["user_exam_id"]].append(message)
    repeated = {attempt: copies for attempt, copies in sent.items() if len(copies) > 1}
    assert {attempt: len(copies) for attempt, copies in repeated.items()} == {
        row["user_exam_id"]: int(row["messages"]) for row in facts("repeated_attempts")
    }
    for copies in repeated.values():
        assert len(set(copies)) == 1
        assert json.loads(copies[0])["certification"] == "false"


def test_days_and_hours_have_their_published_attempts() -> None:
    single = distinct(records())
    days = Counter(record["started_at"][:10] for record in single)
    hours = Counter(str(int(record["started_at"][11:13])) for record in single)
    busy = {row["day_or_hour"]: int(row["attempts"]) for row in facts("busy_times")}
    assert {when: (days + hours)[when] for when in busy} == busy
    assert len(days) == 69 and {day for day, _ in days.most_common(5)} == {when for when in busy if "-" in when}
    assert len(hours) == 24


@pytest.mark.parametrize(("attempts", "seed"), [(3280, 1), (3280, 2), (7000, 3), (100, 1)])
def test_every_record_has_the_shape_and_the_invariants_of_the_genuine_ones(attempts: int, seed: int) -> None:
    for record in records(attempts, seed):
        assert list(record) == TOP_LEVEL
        assert re.fullmatch(r"\d{10}\.\d{0,6}[1-9]|\d{10}\.\d{0,5}[1-9]\d", record["keen_timestamp"])
        assert not record["keen_timestamp"].endswith("0")
        assert record["keen_created_at"] == record["keen_timestamp"]
        assert KEEN_ID.fullmatch(record["keen_id"])
        assert int(record["keen_id"][:8], 16) == int(record["keen_timestamp"].partition(".")[0])
        assert TIME.fullmatch(record["started_at"])
        assert 0 < float(record["keen_timestamp"]) - seconds(record["started_at"]) < 7200
        assert UUID4.fullmatch(record["user_exam_id"]) and UUID4.fullmatch(record["sequences"]["id"])
        assert record["certification"] in ("false", None) and record["max_attempts"] == "1.0"
        assert record["sequences"]["attempt"] == 1
        for question in questions(record):
            assert_question(question, record["base_exam_id"] == "example-id")
        if record["base_exam_id"] == "example-id":
            assert not counts(record)
        else:
            assert counts(record) == recounted(questions(record))


def recounted(questions_shown: list[Record]) -> Record:
    result: Record = dict.fromkeys(RESULTS.values(), 0)
    for question in questions_shown:
        result[RESULTS[question["user_result"]]] += 1
    total = len(questions_shown)
    result |= {"total": total, "submitted": total - result["unanswered"]}
    return result | {"all_correct": result["correct"] == total}


def assert_question(question: Record, for_testing: bool) -> None:
    result = question["user_result"]
    keys = ["user_incomplete", "user_correct", "options", "user_submitted", "id", "user_result"]
    if FLAGS[0] in question:
        assert list(question) == keys
        expected = [result == "missed_some", result == "correct", result != "unanswered"]
        assert [question[flag] for flag in FLAGS] == expected
    else:
        assert for_testing and list(question) == [key for key in keys if key not in FLAGS]
    options = question["options"]
    assert UUID4.fullmatch(question["id"]) and 2 <= len({option["id"] for option in options}) == len(options) <= 6
    for option in options:
        assert_option(option)
    right = {option["id"] for option in options if "correct" in option}
    checked = {option["id"] for option in options if option["checked"]}
    assert right and right != {option["id"] for option in options}
    assert {
        "correct": checked == right,
        "missed_some": set() < checked < right,
        "incorrect": bool(checked - right),
        "unanswered": not checked,
    }[result]


def assert_option(option: Record) -> None:
    assert set(option) <= {"checked", "at", "id", "submitted", "correct"}
    assert UUID4.fullmatch(option["id"])
    assert option.get("correct", True) is True
    assert ("submitted" in option) == option["checked"] and option.get("submitted", 1) == 1
    assert "at" in option or not option["checked"]
    assert TIME.fullmatch(option.get("at", "2018-01-01T00:00:00.000Z"))


def test_the_test_records_lack_counts_and_some_flags() -> None:
    tests = [record for record in records() if record["base_exam_id"] == "example-id"]
    assert sum(len(questions(record)) for record in tests) == 15
    assert {"counts" in record["sequences"] for record in tests} == {True, False}
    assert {FLAGS[0] in question for record in tests for question in questions(record)} == {True, False}


def test_questions_keep_their_options_and_are_shuffled() -> None:
    options: dict[str, set[frozenset[str]]] = defaultdict(set)
    orders: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    exams: dict[str, set[str]] = defaultdict(set)
    for record in records():
        orders[record["base_exam_id"]].add(tuple(question["id"] for question in questions(record)))
        for question in questions(record):
            option_ids = tuple(option["id"] for option in question["options"])
            exams[question["id"]].add(record["base_exam_id"])
            options[question["id"]].add(frozenset(option_ids))
            orders[question["id"]].add(option_ids)
    assert {len(sets) for sets in options.values()} == {1} == {len(ids) for ids in exams.values()}
    assert len(orders["8b4488de-43a5-4ffa-bf82-af1e19ee1b64"]) > 60


def test_clicks_are_as_dirty_as_the_genuine_ones() -> None:
    single = distinct(records())
    unchecked = later = 0
    for record in single:
        clicked = [o for q in questions(record) for o in q["options"] if "at" in o]
        unchecked += sum(not option["checked"] for option in clicked)
        later += any(seconds(option["at"]) > float(record["keen_timestamp"]) for option in clicked)
    assert 0.02 < later / len(single) < 0.10
    assert unchecked > 1000


def test_questions_differ_in_difficulty() -> None:
    results: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records():
        for question in questions(record):
            results[question["id"]][question["user_result"]] += 1
    right = [count["correct"] / count.total() for count in results.values() if count.total() >= 50]
    assert min(right) < 0.35 and max(right) > 0.85


def test_the_same_seed_gives_the_same_bytes_in_any_process() -> None:
    code = (
        "import hashlib; from sample.generate import messages; "
        "print(hashlib.sha256(b''.join(messages(3280, 7))).hexdigest())"
    )
    expected = hashlib.sha256(b"".join(messages(3280, 7))).hexdigest()
    for hash_seed in ("0", "12345"):
        assert run(code, PYTHONHASHSEED=hash_seed).strip() == expected


def test_another_seed_gives_other_attempts_of_the_same_exams() -> None:
    first, second = records(seed=1), records(seed=2)
    assert not {record["keen_id"] for record in first} & {record["keen_id"] for record in second}
    ids = [{question["id"] for record in every for question in questions(record)} for every in (first, second)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("attempts", [0, 1, 2, 5, 100, 3279, 3281, 5000])
def test_any_number_of_messages_can_be_generated(attempts: int) -> None:
    assert len(records(attempts)) == attempts


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(UsageError, match="-1"):
        messages(-1)


@pytest.mark.parametrize("attempts", [1640, 8000])
def test_more_or_fewer_messages_keep_the_population(attempts: int) -> None:
    base, other = records(), records(attempts, 6)
    scale = attempts / len(base)
    surplus = len(other) - len(distinct(other))
    assert surplus == pytest.approx(38 * scale, rel=0.3)
    for key in ("base_exam_id", "certification"):
        expected, scaled = (Counter(record[key] for record in every) for every in (base, other))
        for value, count in expected.items():
            assert scaled[value] == pytest.approx(count * scale, rel=0.15, abs=10 * max(scale, 1))
    days = {record["started_at"][:10] for record in other}
    assert len(days) == 69 and (min(days), max(days)) == ("2017-11-21", "2018-01-28")
    assert len({record["user_exam_id"] for record in other}) == len(distinct(other))
    scores = [counts(record)["correct"] / counts(record)["total"] for record in other if counts(record)]
    assert fmean(scores) == pytest.approx(0.6266, abs=0.01)


@pytest.mark.parametrize("attempts", [3280, 8000])
def test_messages_come_in_order_of_time_and_duplicates_soon_after(attempts: int) -> None:
    latest = 0.0
    for record in records(attempts):
        started = seconds(record["started_at"])
        latest = max(latest, started)
        assert latest - started < 6 * 3600
    assert latest == seconds("2018-01-28T19:17:53.796Z")


def test_write_gives_json_lines_and_their_number() -> None:
    out = io.BytesIO()
    assert write(out, 2500, 1) == 2500
    assert out.getvalue().splitlines() == list(messages(2500, 1))


def test_memory_does_not_grow_with_the_number_of_messages() -> None:
    code = (
        "import tracemalloc; from sample.generate import messages; tracemalloc.start(); "
        "print(sum(1 for _ in messages(50_000)), tracemalloc.get_traced_memory()[1])"
    )
    count, peak = (int(number) for number in run(code).split())
    assert count == 50_000
    assert peak < 100_000_000


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


class TestAgainstTheDataset:
    """The same, read from the published files themselves where they are at hand."""

    pytestmark = pytest.mark.skipif(not DATASET.is_dir(), reason="the published files are not here")

    def test_published_figures(self) -> None:
        published = {row["figure"]: row["value"] for row in rows(DATASET / "published_figures.csv")}
        published.pop("parquet_size_seed_kb")
        assert_published(figures(records()), published)

    def test_exams_by_name(self) -> None:
        exams: dict[str, Counter[str]] = defaultdict(Counter)
        for record in records():
            exams[record["exam_name"]]["attempts"] += 1
            for key in ("correct", "total"):
                exams[record["exam_name"]][key] += counts(record).get(key, 0)
        assert exams == {
            row["exam_name"]: {key: int(row[key] or 0) for key in ("attempts", "correct", "total")}
            for row in rows(DATASET / "exams.csv")
        }

    def test_exams_by_id(self) -> None:
        counted = Counter((record["base_exam_id"], record["exam_name"]) for record in records())
        assert counted == {
            (row["base_exam_id"], row["exam_name"]): int(row["attempts"]) for row in rows(DATASET / "base_exams.csv")
        }

    def test_question_counts(self) -> None:
        counted = Counter(str(counts(record).get("total", "null")) for record in records())
        published = rows(DATASET / "question_count_distribution.csv")
        assert counted == {row["question_count"]: int(row["messages"]) for row in published}

    def test_repeated_attempts(self) -> None:
        counted = Counter((record["user_exam_id"], record["exam_name"]) for record in records())
        published = rows(DATASET / "repeated_attempts.csv")
        assert {key: count for key, count in counted.items() if count > 1} == {
            (row["user_exam_id"], row["exam_name"]): int(row["messages"]) for row in published
        }

    def test_results_and_days_of_exams(self) -> None:
        exams = {row["exam_name"]: self._exam(row["exam_name"]) for row in rows(DATASET / "exams.csv")}
        for row in rows(DATASET / "reference" / "published_exams.csv"):
            exam = exams[row["exam_name"]]
            expected = {key: value for key, value in row.items() if key in exam and value}
            assert {key: str(exam[key]) for key in expected} == expected, row["exam_name"]

    def test_clicks_shares_and_questions_that_are_always_right(self) -> None:
        published = {row["figure"]: row["published"] for row in rows(DATASET / "reference" / "published.csv")}
        counted = figures(records())
        names = {
            "sum floor(last at)-floor(started_at), s, dedup": "duration_seconds",
            "avg duration, min, dedup": "mean_duration_minutes",
            "avg clicking time, min, dedup": "mean_click_span_minutes",
            "attempts with an `at`, dedup (derived)": "attempts_with_clicks",
            "... always correct (missing flags as -99)": "always_right_questions",
        }
        for figure, name in names.items():
            assert float(counted[name]) == pytest.approx(float(published[figure]), abs=1e-9)
        (exam,) = [exam for exam in facts("exams") if exam["exam_name"] == "Learning Git"]
        for figure, column in (("correct by index", "correct_by_place"), ("right option", "third_right_option")):
            by_place = [value for name, value in published.items() if name.startswith(f"Learning Git {figure}")]
            assert by_place == exam[column].split()

    @staticmethod
    def _exam(name: str) -> Record:
        taken = [record for record in records() if record["exam_name"] == name]
        single = distinct(taken)
        days = [record["started_at"][:10] for record in taken]
        first = [questions(record)[0]["user_result"] for record in single]
        totals = {
            key: sum(counts(record).get(key, 0) for record in taken)
            for key in ("incomplete", "unanswered", "all_correct")
        }
        return totals | {
            "first_day": min(days),
            "last_day": max(days),
            "max_questions": max(len(questions(record)) for record in taken),
            "dedup_attempts": len(single),
            "dedup_correct": sum(counts(record).get("correct", 0) for record in single),
            "dedup_all_correct": sum(counts(record).get("all_correct", False) for record in single),
            "dedup_first_question_correct": first.count("correct"),
        }
