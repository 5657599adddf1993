"""The tables, computed once more in plain Python from the messages in Kafka, as the SQL headers define them.

Nothing here uses the project's own code: where both agree row for row, both implement the definition.
"""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

Row = dict[str, Any]

_COUNTS = ("total", "correct", "incorrect", "incomplete", "submitted", "unanswered")
_OPTION = {"id": str, "checked": bool, "correct": bool, "submitted": int, "at": str}
_QUESTION = {
    "id": str,
    "user_result": str,
    "user_correct": bool,
    "user_incomplete": bool,
    "user_submitted": bool,
    "options": [_OPTION],
}
_SEQUENCES = {
    "id": str,
    "attempt": int,
    "counts": {**dict.fromkeys(_COUNTS, int), "all_correct": bool},
    "questions": [_QUESTION],
}
CONTRACT = {
    "keen_timestamp": str,
    "keen_created_at": str,
    "keen_id": str,
    "user_exam_id": str,
    "base_exam_id": str,
    "exam_name": str,
    "certification": str,
    "max_attempts": str,
    "started_at": str,
    "sequences": _SEQUENCES,
}

REQUIRED = ("keen_id", "user_exam_id", "base_exam_id", "exam_name")
TEXT_BYTES = 65_536


class Message(NamedTuple):
    """A message where it stands in Kafka; `timestamp` counts milliseconds, a tombstone has no value."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None


class Attempt(NamedTuple):
    """The newest message of an attempt, read, and how many there were."""

    message: Message
    payload: Row
    message_count: int


def is_accepted(value: bytes | None) -> bool:
    """Whether a message meets the rules of docs/messages.md."""
    try:
        parsed = json.loads(
            (value or b"").decode(),
            object_pairs_hook=_pairs,
            parse_int=_short(int),
            parse_float=_short(float),
            parse_constant=_refuse,
        )
        json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair cannot be encoded
        return (
            isinstance(parsed, tuple)
            and _depth(parsed) <= 100
            and _longest(parsed) <= TEXT_BYTES
            and _fits(parsed, CONTRACT)
            and set(REQUIRED) <= {name for name, _ in parsed}
            and all(value for name, value in parsed if name in REQUIRED)
        )
    except (ValueError, RecursionError):
        return False


def _refuse(text: str) -> None:
    raise ValueError(f"{text[:100]} is refused")


def _short(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A number of up to 1,000 characters."""
    return lambda text: read(text) if len(text) <= 1000 else _refuse(text)


def _pairs(pairs: list[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """An object with names of up to 50,000 bytes."""
    for name, _ in pairs:
        if len(name.encode()) > 50_000:
            _refuse(name)
    return tuple(pairs)


def _depth(value: Any) -> int:
    if isinstance(value, tuple):
        return 1 + max((_depth(item) for _, item in value), default=0)
    return 1 + max((_depth(item) for item in value), default=0) if isinstance(value, list) else 0


def _longest(value: Any) -> int:
    """The bytes of the longest text in a value."""
    if isinstance(value, tuple):
        return max((_longest(item) for _, item in value), default=0)
    if isinstance(value, list):
        return max(map(_longest, value), default=0)
    return len(value.encode()) if isinstance(value, str) else 0


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value, in which an object is a tuple of pairs, is of a kind; null and absent always fit."""
    if value is None:
        return True
    if isinstance(kind, dict):
        lower = {name.lower() for name in kind}
        return isinstance(value, tuple) and all(
            _fits(item, kind[name]) if name in kind else name.lower() not in lower and not _is_column(name, len(kind))
            for name, item in value
        )
    if isinstance(kind, list):
        return isinstance(value, list) and all(_fits(item, kind[0]) for item in value)
    return type(value) is kind and (kind is not int or -(2**63) <= value < 2**63)


def _is_column(name: str, count: int) -> bool:
    """Whether Hive would take a name for that of a column: `_col7`, or the number of one of so many."""
    if re.fullmatch("_col[0-9]+", name):
        return True
    return re.fullmatch(r"[+-]?\d+", name) is not None and (len(name) > 100 or int(name) < count)


def tables(messages: Iterable[Message]) -> dict[str, list[Row]]:
    """All rows of the flat views and the marts."""
    accepted = [(message, json.loads(message.value or b"")) for message in messages if is_accepted(message.value)]
    newest = _newest(accepted)
    attempts = [_row(attempt.message, attempt.payload) for attempt in newest]
    counted = [{**row, "messages": attempt.message_count} for row, attempt in zip(attempts, newest, strict=True)]
    questions = [
        (attempt, row, _question(attempt, place, question), question)
        for attempt, row in zip(newest, attempts, strict=True)
        for place, question in _numbered(_questions(attempt))
    ]
    kept = {attempt.message[:3] for attempt in newest}
    return {
        "flat.messages": [_row(message, payload) for message, payload in accepted],
        "flat.superseded_messages": [
            {
                "kafka_partition": message.partition,
                "kafka_offset": message.offset,
                "attempt_id": payload["user_exam_id"],
            }
            for message, payload in accepted
            if message[:3] not in kept
        ],
        "flat.attempts": attempts,
        "flat.attempt_questions": [row for _, _, row, _ in questions],
        "flat.question_options": [
            _option(attempt, row["question_position"], option_place, option)
            for attempt, _, row, question in questions
            for option_place, option in _numbered((question or {}).get("options"))
        ],
        "marts.exams": [_exam(exam, rows) for (exam,), rows in _grouped(counted, "exam_id")],
        "marts.questions": _question_ranks([row for _, _, row, _ in questions], attempts),
        "marts.daily_activity": _activity(counted),
    }


def _newest(messages: list[tuple[Message, Row]]) -> list[Attempt]:
    """Of each attempt the message that was published last, then of the higher partition, then offset."""
    by_attempt: dict[str, list[tuple[Message, Row]]] = defaultdict(list)
    for message, payload in messages:
        by_attempt[payload["user_exam_id"]].append((message, payload))
    newest = []
    for same in by_attempt.values():
        message, payload = max(same, key=lambda pair: (pair[0].timestamp, pair[0].partition, pair[0].offset))
        newest.append(Attempt(message, payload, len(same)))
    return newest


def _numbered(items: list[Any] | None) -> Iterable[tuple[int, Any]]:
    return enumerate(items or [], start=1)


def _sequences(payload: Row) -> Row:
    return payload.get("sequences") or {}


def _questions(attempt: Attempt) -> list[Any] | None:
    return _sequences(attempt.payload).get("questions")


def utc(text: str | None) -> datetime | None:
    """The instant of an RFC 3339 text from the year 1600 on, cut to the microsecond; None for any other text."""
    pattern = r"([0-9-]{10})[Tt ]([0-9:]{8})(?:\.([0-9]+))?(?:[Zz]|([+-])(0[0-9]|1[0-7]):?([0-5][0-9]))"
    match = re.fullmatch(pattern, text or "")
    if match is None:
        return None
    try:
        local = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(microsecond=_microseconds(match[3]))
        offset = timedelta(hours=int(match[5] or 0), minutes=int(match[6] or 0))
        if local.year < 1600:
            return None
        return local + offset if match[4] == "-" else local - offset
    except (ValueError, OverflowError):
        return None


def _unix(text: str | None) -> datetime | None:
    """Seconds since 1970 with up to ten digits and any fraction, cut to the microsecond."""
    match = re.fullmatch(r"([0-9]{1,10})(?:\.([0-9]+))?", text or "")
    if match is None:
        return None
    return datetime(1970, 1, 1) + timedelta(seconds=int(match[1]), microseconds=_microseconds(match[2]))


def _microseconds(digits: str | None) -> int:
    return int((digits or "")[:6].ljust(6, "0"))


def _row(message: Message, payload: Row) -> Row:
    """A row of flat.messages but its landing, unknown fields and oddities."""
    counts = _sequences(payload).get("counts") or {}
    total, correct = counts.get("total"), counts.get("correct")
    started_at = utc(payload.get("started_at"))
    whole = re.fullmatch(r"([0-9]{1,9})(?:\.0*)?", payload.get("max_attempts") or "")
    published_at = datetime.fromtimestamp(message.timestamp // 1000, UTC).replace(tzinfo=None)
    return {
        "attempt_id": payload["user_exam_id"],
        "event_id": payload["keen_id"],
        "exam_id": payload["base_exam_id"],
        "exam_name": payload["exam_name"],
        "started_at": started_at,
        "received_at": _unix(payload.get("keen_timestamp")),
        "certification": {"true": True, "false": False}.get(payload.get("certification") or ""),
        "max_attempts": int(whole[1]) if whole else None,
        "question_set_id": _sequences(payload).get("id"),
        "question_count": total,
        **{f"{name}_count": counts.get(name) for name in _COUNTS[1:]},
        "is_all_correct": counts.get("all_correct"),
        "score": correct / total if correct is not None and (total or 0) > 0 else None,
        "kafka_topic": message.topic,
        "kafka_partition": message.partition,
        "kafka_offset": message.offset,
        "kafka_published_at": published_at + timedelta(milliseconds=message.timestamp % 1000),
        "started_date": started_at.date() if started_at else None,
    }


def _ids(attempt: Attempt) -> Row:
    """What the rows of questions and options say of their message."""
    return {
        "attempt_id": attempt.payload["user_exam_id"],
        "exam_id": attempt.payload["base_exam_id"],
        "kafka_partition": attempt.message.partition,
        "kafka_offset": attempt.message.offset,
    }


def _question(attempt: Attempt, place: int, question: Row | None) -> Row:
    there = question or {}
    options = there.get("options")
    return {
        **_ids(attempt),
        "question_position": place,
        "question_id": there.get("id"),
        "result": there.get("user_result"),
        "is_correct": there.get("user_correct"),
        "is_incomplete": there.get("user_incomplete"),
        "is_submitted": there.get("user_submitted"),
        "option_count": None if options is None else len(options),
    }


def _option(attempt: Attempt, place: int, option_place: int, option: Row | None) -> Row:
    there = option or {}
    return {
        **_ids(attempt),
        "question_position": place,
        "option_position": option_place,
        "option_id": there.get("id"),
        "is_checked": there.get("checked"),
        "is_correct": None if option is None else there.get("correct") is True,
        "is_submitted": None if option is None else there.get("submitted") == 1,
        "clicked_at": utc(there.get("at")),
    }


def _grouped(rows: Iterable[Row], *columns: str) -> Iterable[tuple[tuple[Any, ...], list[Row]]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in columns)].append(row)
    return groups.items()


def _present(rows: list[Row], column: str) -> list[Any]:
    return [row[column] for row in rows if row[column] is not None]


def _of_known(compute: Callable[[list[Any]], Any], rows: list[Row], column: str, least: int = 1) -> Any:
    """What is computed of the values that are there, None where there are fewer than needed."""
    values = _present(rows, column)
    return compute(values) if len(values) >= least else None


def _measures(rows: list[Row], *counts: str) -> Row:
    """What both marts of attempts have in common."""
    return {
        "message_count": sum(row["messages"] for row in rows),
        "attempt_count": len(rows),
        "scored_attempt_count": len(_present(rows, "score")),
        "perfect_attempt_count": sum(row["is_all_correct"] is True and row["score"] is not None for row in rows),
        **{count: _of_known(sum, rows, count) for count in counts},
        "score_sum": _of_known(sum, rows, "score"),
        "mean_score": _of_known(statistics.fmean, rows, "score"),
    }


def _exam(exam: str | None, rows: list[Row]) -> Row:
    counts = ("question_count", "correct_count", "incorrect_count", "incomplete_count", "unanswered_count")
    measures = _measures(rows, *counts)
    scored = measures["scored_attempt_count"]
    return {
        "exam_id": exam,
        "exam_name": _of_known(max, rows, "exam_name"),
        **measures,
        "score_deviation": _of_known(lambda scores: round(statistics.stdev(scores), 6), rows, "score", least=2),
        "perfect_share": measures["perfect_attempt_count"] / scored if scored else None,
        "first_date": _of_known(min, rows, "started_date"),
        "last_date": _of_known(max, rows, "started_date"),
    }


def _activity(attempts: list[Row]) -> list[Row]:
    starts = [{**row, "hour": row["started_at"].hour if row["started_at"] else None} for row in attempts]
    return [
        {
            "started_date": date,
            "started_hour": hour,
            **_measures(rows, "question_count", "correct_count", "unanswered_count"),
        }
        for (date, hour), rows in _grouped(starts, "started_date", "hour")
    ]


def _question_ranks(questions: list[Row], attempts: list[Row]) -> list[Row]:
    names = {exam: _of_known(max, rows, "exam_name") for (exam,), rows in _grouped(attempts, "exam_id")}
    ranked = []
    for (exam, question), rows in _grouped(questions, "exam_id", "question_id"):
        results = [row["result"] for row in rows]
        ranked.append(
            {
                "exam_id": exam,
                "exam_name": names[exam],
                "question_id": question,
                "shown_count": len(rows),
                "correct_count": results.count("correct"),
                "incorrect_count": results.count("incorrect"),
                "incomplete_count": results.count("missed_some"),
                "unanswered_count": results.count("unanswered"),
                "correct_share": results.count("correct") / len(rows),
            }
        )
    for _, rows in _grouped(ranked, "exam_id"):
        for row in rows:
            harder = sum(other["correct_share"] < row["correct_share"] for other in rows)
            row["difficulty_rank"] = 1 + harder
    return ranked
