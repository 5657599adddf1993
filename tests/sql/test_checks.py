"""The checks beside the suites: each returns no row for good data, and the rows of every fault that it is for."""
# ruff: noqa: E501 (a fault is a line)

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import sqlglot
from local_spark import LocalSpark, Warehouse
from sqlglot import exp

from etl import sqlfile
from etl.sqlfile import SqlFile
from etl.validate.scope import Scope
from etl.validate.suites import EXPECTATIONS, suite

Tables = dict[str, list[dict[str, Any]]]
RUN = "r20260101T000000000000"
FILES = sqlfile.files("[0-35]_*")
CHECKS = sorted(str(path.relative_to(EXPECTATIONS).with_suffix("")) for path in EXPECTATIONS.glob("*/*/*.sql"))


def message(offset: int, attempt: str, event: str, landing: int, published: str, **more: Any) -> dict[str, Any]:
    """A row of flat.messages: four questions, one of each result."""
    return {
        "kafka_topic": "t",
        "kafka_partition": 0,
        "kafka_offset": offset,
        "kafka_published_at": published,
        "landing": landing,
        "compaction": 0,
        "last_landing": landing,
        "attempt_id": attempt,
        "event_id": event,
        "exam_id": "x",
        "exam_name": "Exam",
        "started_at": "2018-01-01 10:20:30",
        "started_date": "2018-01-01",
        "received_at": "2018-01-01 11:20:30",
        "question_count": 4,
        "correct_count": 1,
        "incorrect_count": 1,
        "incomplete_count": 1,
        "submitted_count": 3,
        "unanswered_count": 1,
        "is_all_correct": False,
        "score": 0.25,
        **more,
    }


MESSAGES = [
    message(0, "a", "e", 1, "2018-01-02 00:00:00"),
    message(1, "a", "e", 1, "2018-01-03 00:00:00"),
    message(3, "b", "f", 2, "2018-01-04 00:00:00"),
]
RESULTS = ("correct", "incorrect", "missed_some", "unanswered")
KEYS = ("attempt_id", "exam_id", "kafka_partition", "kafka_offset", "landing", "compaction", "last_landing")
QUESTIONS = [
    {
        **{key: row[key] for key in KEYS},
        "question_position": position,
        "question_id": f"q{position}",
        "result": result,
        "is_correct": result == "correct",
        "is_incomplete": result == "missed_some",
        "is_submitted": result != "unanswered",
        "option_count": 3,
    }
    for row in MESSAGES[1:]
    for position, result in enumerate(RESULTS, 1)
]
OPTIONS = [
    {
        **{key: row[key] for key in (*KEYS, "question_position")},
        "option_position": position,
        "is_checked": position == 1,
        "is_submitted": position == 1,
        "clicked_at": "2018-01-01 10:21:00" if position == 1 else None,
    }
    for row in QUESTIONS
    for position in (1, 2, 3)
]
COUNTS = {
    "message_count": 3,
    "attempt_count": 2,
    "scored_attempt_count": 2,
    "perfect_attempt_count": 0,
    "question_count": 8,
    "correct_count": 2,
    "unanswered_count": 2,
    "score_sum": 0.5,
    "mean_score": 0.25,
    "release": 1,
}


def landing(number: int, start: int, end: int, accepted: int, rejected: int, **more: Any) -> dict[str, Any]:
    """A row of raw.landings."""
    row = {
        "landing": number,
        "kafka_topic": "t",
        "topic_id": "id",
        "kafka_partition": 0,
        "start_offset": start,
        "end_offset": end,
        "accepted_count": accepted,
        "rejected_count": rejected,
        "absent_count": 0,
        "lost_count": 0,
        "replayed_offsets": [],
    }
    return row | more


def stored(path: str, recorded: int | None, now: int | None, before: str | None, after: str | None) -> dict[str, Any]:
    """A row of ops.stored_files."""
    names = ("path", "recorded_bytes", "stored_bytes", "recorded_checksum", "stored_checksum")
    return {"run_id": RUN, **dict(zip(names, (path, recorded, now, before, after), strict=True))}


def good() -> Tables:
    """A small warehouse without a fault: three messages of two attempts, one message rejected, retention before them."""
    tables: Tables = {
        "ops.stored_files": [stored("flat/x/file", 5, 5, "c", "c")],
        "ops.topic_offsets": [
            {
                "run_id": RUN,
                "kafka_topic": "t",
                "topic_id": "id",
                "kafka_partition": 0,
                "start_offset": 0,
                "end_offset": 4,
            },
            # Another validation that runs at the same time saw a later state.
            {
                "run_id": "r9",
                "kafka_topic": "t",
                "topic_id": "new",
                "kafka_partition": 0,
                "start_offset": 9,
                "end_offset": 9,
            },
            # Retention deleted these before their first landing.
            {
                "run_id": RUN,
                "kafka_topic": "t",
                "topic_id": "id",
                "kafka_partition": 1,
                "start_offset": 7,
                "end_offset": 7,
            },
        ],
        "raw.landings": [
            landing(1, 0, 2, 2, 0),
            landing(2, 2, 4, 1, 1),
            landing(1, 5, 7, 0, 0, kafka_partition=1, erased_count=2),
            landing(1, 0, 1, 0, 0, kafka_partition=2, absent_count=1),
        ],
        "raw.rejected_messages": [
            {"landing": 2, "kafka_topic": "t", "kafka_partition": 0, "kafka_offset": 2, "reason": "no JSON"}
        ],
        "raw.canaries": [{"landing": 1, "kafka_topic": "t", "kafka_partition": 2, "kafka_offset": 0}],
        "flat.messages": MESSAGES,
        "flat.attempts": MESSAGES[1:],
        "flat.superseded_messages": [
            {
                "kafka_partition": 0,
                "kafka_offset": 0,
                "attempt_id": "a",
                "landing": 1,
                "compaction": 0,
                "last_landing": 1,
            }
        ],
        "flat.attempt_questions": QUESTIONS,
        "flat.question_options": OPTIONS,
        "marts.exams": [
            {
                **COUNTS,
                "exam_id": "x",
                "exam_name": "Exam",
                "incorrect_count": 2,
                "incomplete_count": 2,
                "score_deviation": 0.0,
                "perfect_share": 0.0,
                "first_date": "2018-01-01",
                "last_date": "2018-01-01",
            }
        ],
        "marts.daily_activity": [{**COUNTS, "started_date": "2018-01-01", "started_hour": 10}],
        "marts.questions": [
            {
                "exam_id": "x",
                "exam_name": "Exam",
                "question_id": f"q{position}",
                "shown_count": 2,
                "correct_count": 2 * (result == "correct"),
                "incorrect_count": 2 * (result == "incorrect"),
                "incomplete_count": 2 * (result == "missed_some"),
                "unanswered_count": 2 * (result == "unanswered"),
                "correct_share": float(result == "correct"),
                "difficulty_rank": 4 if result == "correct" else 1,
                "release": 1,
            }
            for position, result in enumerate(RESULTS, 1)
        ],
    }
    for name, shared in SHARED.items():  # all of it is one customer's
        tables[shared] = [{**row, "customer": "c_1"} for row in tables[name]]
    tables["customers.exam_periods"] = [{"exam_id": "x", "customer": "c_1", "valid_from": "2018-01-01"}]
    tables["customers.attempt_owners"] = [
        {"attempt_id": name, "customer": "c_1", "pseudonym": name * 64, "message_count": 1} for name in "ab"
    ]
    return {name: copy.deepcopy(rows) for name, rows in tables.items()}  # a row of two tables is two


SHARED = {
    "flat.attempts": "customers.owned_attempts",
    "flat.attempt_questions": "customers.owned_attempt_questions",
    "flat.question_options": "customers.owned_question_options",
    "marts.exams": "customers.owned_exams",
    "marts.questions": "customers.owned_questions",
    "marts.daily_activity": "customers.owned_daily_activity",
}


class Fault(NamedTuple):
    """Something wrong in the tables, and how many rows the check returns for it."""

    check: str
    name: str
    make: Callable[[Tables], Any]
    count: int = 1


def update(table: str, place: int = 0, **values: Any) -> Callable[[Tables], Any]:
    """A change of one row."""
    return lambda tables: tables[table][place].update(values)


def drop(table: str, place: int = 0) -> Callable[[Tables], Any]:
    """The loss of one row."""
    return lambda tables: tables[table].pop(place)


def add(table: str, place: int = 0, **values: Any) -> Callable[[Tables], Any]:
    """A copy of a row, with other values."""
    return lambda tables: tables[table].append({**tables[table][place], **values})


def exchange(table: str, column: str, first: int, second: int) -> Callable[[Tables], Any]:
    """Two rows that have each other's value."""

    def change(tables: Tables) -> None:
        row, other = tables[table][first], tables[table][second]
        row[column], other[column] = other[column], row[column]

    return change


def hours_of(*days: int, hour: int = 10, attempts: int = 10) -> Callable[[Tables], Any]:
    """An hour with attempts on each of these days of December 2017; the last day with data is 1 January."""
    rows = [{"started_date": f"2017-12-{day:02}", "started_hour": hour, "attempt_count": attempts} for day in days]
    return lambda tables: [add("marts.daily_activity", **row)(tables) for row in rows]


FILES_, LANDINGS, REJECTED = "0_ops/stored_files_v1/", "1_raw/landings_v1/", "1_raw/rejected_messages_v1/"
COUNTED, UNIQUE = "1_raw/assessments_v1/counts", "2_flat/messages_v1/unique_offsets"
ATTEMPTS, SUPERSEDED = "2_flat/attempts_v1/", "2_flat/superseded_messages_v1/"
QUESTION_CHECKS, OPTION_CHECKS = "2_flat/message_questions_v1/", "2_flat/message_options_v1/"
EXAMS, HARD, HOURS = "3_marts/exams_v1/", "3_marts/questions_v1/", "3_marts/daily_activity_v1/"
OWNERS, OWNED = "5_customers/attempt_owners_v1/", "5_customers/owned_"
SMALL = [stored(f"flat/x/{number}", 1, 1, "c", "c") for number in range(17)]
FAULTS = [
    Fault(FILES_ + "as_recorded", "a foreign file", add("ops.stored_files", recorded_bytes=None, recorded_checksum=None)),
    Fault(FILES_ + "as_recorded", "a lost file", update("ops.stored_files", stored_bytes=None, stored_checksum=None)),
    Fault(FILES_ + "as_recorded", "a shorter file", update("ops.stored_files", stored_bytes=4)),
    Fault(FILES_ + "as_recorded", "a changed file", update("ops.stored_files", stored_checksum="d")),
    Fault(FILES_ + "large_files", "many small files", lambda tables: tables["ops.stored_files"].extend(SMALL)),
    Fault(COUNTED, "a lost message", drop("flat.messages")),
    Fault(COUNTED, "a doubled message", add("flat.messages")),
    Fault(COUNTED, "a message after the landing", update("flat.messages", 2, kafka_offset=4)),
    Fault(COUNTED, "a message before the landing", update("flat.messages", 2, kafka_offset=1)),
    Fault(COUNTED, "a message of no landing", add("flat.messages", landing=3, last_landing=3)),
    Fault(LANDINGS + "account", "offsets that do not add up", update("raw.landings", absent_count=1)),
    Fault(LANDINGS + "account", "erased messages that are still there", update("raw.landings", erased_count=1)),
    Fault(LANDINGS + "account", "a gap", update("raw.landings", 1, start_offset=3, rejected_count=0)),
    Fault(LANDINGS + "account", "an overlap", update("raw.landings", 1, start_offset=1, accepted_count=2)),
    Fault(LANDINGS + "account", "a landing twice", add("raw.landings", 2), 2),
    Fault(LANDINGS + "absent", "an offset without a message", update("raw.landings", 3, absent_count=2)),
    Fault(LANDINGS + "absent", "a lost canary", drop("raw.canaries")),
    Fault(LANDINGS + "broker", "a topic that was recreated", update("ops.topic_offsets", topic_id="new")),
    Fault(LANDINGS + "broker", "a topic that ends early", update("ops.topic_offsets", end_offset=3)),
    Fault(LANDINGS + "broker", "messages lost by retention", update("ops.topic_offsets", start_offset=5, end_offset=6)),
    Fault(LANDINGS + "all_landed", "messages that are not landed", update("ops.topic_offsets", end_offset=5)),
    Fault(
        LANDINGS + "all_landed",
        "a partition that is not landed",
        add("ops.topic_offsets", kafka_partition=2, start_offset=1, end_offset=2),
    ),
    Fault(REJECTED + "counts", "a lost rejected message", drop("raw.rejected_messages")),
    Fault(REJECTED + "counts", "a doubled rejected message", add("raw.rejected_messages")),
    Fault(REJECTED + "counts", "a rejected message outside", update("raw.rejected_messages", kafka_offset=4)),
    Fault(REJECTED + "counts", "a rejected message of no landing", add("raw.rejected_messages", kafka_partition=5)),
    Fault(REJECTED + "not_accepted", "a message in both tables", update("raw.rejected_messages", kafka_offset=3)),
    Fault(UNIQUE, "an offset twice", add("flat.messages", 2)),
    Fault(SUPERSEDED + "counts", "an attempt twice", add("flat.attempts")),
    Fault(SUPERSEDED + "counts", "a lost attempt", drop("flat.attempts")),
    Fault(SUPERSEDED + "counts", "a message that is not superseded", drop("flat.superseded_messages")),
    Fault(SUPERSEDED + "of_messages", "no such message", update("flat.superseded_messages", kafka_offset=9)),
    Fault(SUPERSEDED + "of_messages", "a message of another attempt", update("flat.superseded_messages", kafka_offset=3)),
    Fault(SUPERSEDED + "of_messages", "superseded twice", add("flat.superseded_messages")),
    Fault(SUPERSEDED + "of_messages", "no coordinates", update("flat.superseded_messages", kafka_offset=None)),
    Fault(ATTEMPTS + "newest_message", "an older message", update("flat.attempts", kafka_offset=0, kafka_published_at="2018-01-02 00:00:00")),
    Fault(ATTEMPTS + "newest_message", "two rows", add("flat.attempts", kafka_offset=0, kafka_published_at="2018-01-02 00:00:00")),
    Fault(ATTEMPTS + "newest_message", "no row", drop("flat.attempts")),
    Fault(ATTEMPTS + "newest_message", "a lower offset at the same time", lambda tables: [
        tables["flat.messages"][1].update(kafka_published_at="2018-01-02 00:00:00"),
        tables["flat.attempts"][0].update(kafka_offset=0, kafka_published_at="2018-01-02 00:00:00"),
    ]),
    Fault(ATTEMPTS + "one_event", "two events for an attempt", update("flat.messages", event_id="g")),
    Fault(ATTEMPTS + "one_event", "two attempts for an event", update("flat.messages", 2, event_id="e")),
    Fault(ATTEMPTS + "computed", "another score", update("flat.attempts", score=0.5)),
    Fault(ATTEMPTS + "computed", "no score", update("flat.attempts", score=None)),
    Fault(ATTEMPTS + "computed", "a score of no questions", update("flat.attempts", question_count=0)),
    Fault(ATTEMPTS + "computed", "another day", update("flat.attempts", started_date="2018-01-02")),
    Fault(ATTEMPTS + "computed", "no day", update("flat.attempts", started_date=None)),
    Fault(ATTEMPTS + "counts_add_up", "a missing count", update("flat.attempts", is_all_correct=None)),
    Fault(ATTEMPTS + "counts_add_up", "another sum", update("flat.attempts", incorrect_count=2)),
    Fault(ATTEMPTS + "counts_add_up", "too many submitted", update("flat.attempts", submitted_count=4)),
    Fault(ATTEMPTS + "counts_add_up", "not all correct", update("flat.attempts", is_all_correct=True)),
    Fault(QUESTION_CHECKS + "of_attempts", "a gap", drop("flat.attempt_questions")),
    Fault(QUESTION_CHECKS + "of_attempts", "a position twice", update("flat.attempt_questions", 1, question_position=3)),
    Fault(QUESTION_CHECKS + "of_attempts", "another message", update("flat.attempt_questions", 3, kafka_offset=0)),
    Fault(QUESTION_CHECKS + "of_attempts", "an attempt of no message", update("flat.attempts", kafka_offset=9)),
    Fault(QUESTION_CHECKS + "of_attempts", "another exam", lambda tables: [row.update(exam_id="y") for row in tables["flat.attempt_questions"][:4]]),
    Fault(QUESTION_CHECKS + "results", "a lost question", drop("flat.attempt_questions", 3)),
    Fault(QUESTION_CHECKS + "results", "another result", update("flat.attempt_questions", result="incorrect")),
    Fault(QUESTION_CHECKS + "flags", "correct but for the flag", update("flat.attempt_questions", is_correct=False)),
    Fault(QUESTION_CHECKS + "flags", "incomplete but for the flag", update("flat.attempt_questions", 2, is_incomplete=False)),
    Fault(QUESTION_CHECKS + "flags", "unanswered but submitted", update("flat.attempt_questions", 3, is_submitted=True)),
    Fault(OPTION_CHECKS + "of_questions", "a lost option", drop("flat.question_options", 2)),
    Fault(OPTION_CHECKS + "of_questions", "a doubled option", add("flat.question_options")),
    Fault(OPTION_CHECKS + "of_questions", "a position twice", update("flat.question_options", 1, option_position=3)),
    Fault(OPTION_CHECKS + "of_questions", "options of no question", update("flat.question_options", question_position=9)),
    Fault(OPTION_CHECKS + "of_questions", "two options that changed places", exchange("flat.question_options", "question_position", 0, 4)),
    Fault(OPTION_CHECKS + "of_questions", "an option of another attempt", update("flat.question_options", attempt_id="b")),
    Fault(OPTION_CHECKS + "submitted", "submitted but not checked", update("flat.question_options", is_checked=False)),
    Fault(OPTION_CHECKS + "submitted", "checked but not clicked", update("flat.question_options", clicked_at=None)),
    Fault(EXAMS + "adds_up", "another number of attempts", update("marts.exams", attempt_count=3)),
    Fault(EXAMS + "adds_up", "another sum of scores", update("marts.exams", score_sum=0.6)),
    Fault(EXAMS + "adds_up", "an exam twice", add("marts.exams", attempt_count=0), 1),
    Fault(EXAMS + "adds_up", "a lost exam", drop("marts.exams")),
    Fault(EXAMS + "messages", "too many messages", update("marts.exams", message_count=4)),
    Fault(EXAMS + "messages", "a lost hour", drop("marts.daily_activity")),
    Fault(EXAMS + "computed", "another mean", update("marts.exams", mean_score=0.3)),
    Fault(EXAMS + "computed", "no mean", update("marts.exams", mean_score=None)),
    Fault(EXAMS + "computed", "no deviation", update("marts.exams", score_deviation=None)),
    Fault(EXAMS + "computed", "another share", update("marts.exams", perfect_share=0.5)),
    Fault(EXAMS + "computed", "more attempts than messages", update("marts.exams", attempt_count=4)),
    Fault(EXAMS + "computed", "the last day first", update("marts.exams", last_date="2017-12-31")),
    Fault(EXAMS + "results", "a missing count", update("marts.exams", incorrect_count=None)),
    Fault(EXAMS + "results", "another sum", update("marts.exams", incorrect_count=3)),
    Fault(HARD + "adds_up", "another count", update("marts.questions", shown_count=3)),
    Fault(HARD + "adds_up", "a lost question", drop("marts.questions")),
    Fault(HARD + "adds_up", "a question twice", add("marts.questions", shown_count=0, correct_count=0)),
    Fault(HARD + "computed", "another share", update("marts.questions", correct_share=0.5)),
    Fault(HARD + "computed", "no first rank", lambda tables: [row.update(difficulty_rank=5) for row in tables["marts.questions"] if row["difficulty_rank"] == 1], 2),
    Fault(HARD + "computed", "the easiest is the hardest", lambda tables: [row.update(difficulty_rank=5 - row["difficulty_rank"]) for row in tables["marts.questions"]]),
    Fault(HOURS + "adds_up", "another hour", update("marts.daily_activity", started_hour=11), 2),
    Fault(HOURS + "adds_up", "another count", update("marts.daily_activity", unanswered_count=3)),
    Fault(HOURS + "computed", "another mean", update("marts.daily_activity", mean_score=0.3)),
    Fault(HOURS + "computed", "no hour", update("marts.daily_activity", started_hour=None)),
    Fault(HOURS + "intervals", "a day without attempts", hours_of(3, 10, 17, 24), 2),
    Fault(HOURS + "intervals", "an hour without attempts", lambda tables: [
        hours_of(3, 10, 17, 24)(tables), hours_of(31, hour=11)(tables),
    ]),
    Fault(HOURS + "computed", "more scored than attempts", update("marts.daily_activity", scored_attempt_count=3, score_sum=0.75, attempt_count=2)),
    Fault(OWNERS + "every_attempt", "an attempt without an owner", drop("customers.attempt_owners")),
    Fault(OWNERS + "every_attempt", "an attempt of two", add("customers.attempt_owners", customer="c_2")),
    Fault(OWNERS + "pseudonyms", "a pseudonym of two attempts", update("customers.attempt_owners", pseudonym="b" * 64)),
    Fault(OWNERS + "pseudonyms", "no pseudonym", update("customers.attempt_owners", pseudonym="a")),
    Fault(OWNERS + "owned_exams_only", "an attempt of another", update("customers.attempt_owners", customer="c_2")),
    Fault(OWNERS + "owned_exams_only", "an owned attempt of nobody", update("customers.attempt_owners", customer="nobody")),
    Fault(OWNERS + "owned_exams_only", "attempts before the period", update("customers.exam_periods", valid_from="2018-01-02"), 2),
    Fault(OWNERS + "owned_exams_only", "attempts after the period", update("customers.exam_periods", valid_to="2018-01-01", valid_from=None), 2),
    Fault(OWNERS + "owned_exams_only", "a start that is not known", update("flat.attempts", started_date=None)),
    Fault(OWNED + "attempts_v1/all_attempts", "a lost attempt", drop("customers.owned_attempts")),
    Fault(OWNED + "attempts_v1/all_attempts", "an attempt of two customers", add("customers.owned_attempts", customer="c_2")),
    Fault(OWNED + "attempts_v1/all_attempts", "another score", update("customers.owned_attempts", score=0.5), 2),
    Fault(OWNED + "attempt_questions_v1/all_questions", "a lost question", drop("customers.owned_attempt_questions")),
    Fault(OWNED + "attempt_questions_v1/of_attempts", "another attempt", update("customers.owned_attempt_questions", attempt_id="z")),
    Fault(OWNED + "attempt_questions_v1/of_attempts", "another customer", update("customers.owned_attempt_questions", customer="c_2")),
    Fault(OWNED + "question_options_v1/all_options", "a doubled option", add("customers.owned_question_options")),
    Fault(OWNED + "question_options_v1/of_attempts", "another customer", update("customers.owned_question_options", customer="c_2")),
    Fault(OWNED + "exams_v1/adds_up", "a lost exam", drop("customers.owned_exams")),
    Fault(OWNED + "exams_v1/adds_up", "another number of questions", update("customers.owned_exams", question_count=9)),
    Fault(OWNED + "exams_v1/adds_up", "no number of incorrect answers", update("customers.owned_exams", incorrect_count=None)),
    Fault(OWNED + "exams_v1/adds_up", "another sum of scores", update("customers.owned_exams", score_sum=0.6)),
    Fault(OWNED + "questions_v1/adds_up", "another count", update("customers.owned_questions", shown_count=3)),
    Fault(OWNED + "daily_activity_v1/adds_up", "another count", update("customers.owned_daily_activity", attempt_count=1)),
    Fault(OWNED + "daily_activity_v1/adds_up", "another number of questions", update("customers.owned_daily_activity", question_count=9)),
]  # fmt: skip


def file_of(check: str) -> SqlFile:
    """The SQL file of a check's table."""
    stage, table, _ = check.split("/")
    return next(file for file in FILES if (file.stage, file.path.stem) == (stage, table))


class Checked:
    """A warehouse whose tables are made again only where they change."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse, self._tables = warehouse, Tables()

    def failing(self, check: str, tables: Tables, since: int = 0) -> list[tuple[Any, ...]]:
        """The rows that a check returns. It sees no table but those that its header says it reads."""
        scope = Scope(release=1, landing=2, since=since, is_published=True)
        expectations = suite(file_of(check), FILES, scope, RUN).expectations
        (statement,) = [
            expectation["kwargs"]["unexpected_rows_query"]
            for expectation in expectations
            if expectation.get("meta", {}).get("file", "").endswith(f"{check}.sql")
        ]
        header = SqlFile(EXPECTATIONS / f"{check}.sql", (EXPECTATIONS / f"{check}.sql").read_text()).header
        reads = sqlfile.published_text(header["Reads"]).split(", ")
        named = {f"{table.db}.{table.name}" for table in sqlglot.parse_one(statement, read="hive").find_all(exp.Table)}
        assert {name for name in named if not name.startswith(".")} == set(reads)
        for name in reads:
            if self._tables.get(name) != tables[name]:
                self._warehouse.given(name, *tables[name])
                self._tables[name] = copy.deepcopy(tables[name])
        return self._warehouse.query(statement)


@pytest.fixture(scope="module")
def checked(spark: LocalSpark, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """One warehouse for all faults."""
    return Checked(spark.warehouse(tmp_path_factory.mktemp("checked")))


@pytest.mark.parametrize("check", CHECKS)
def test_good_data_has_no_failing_row(checked: Checked, check: str) -> None:
    assert checked.failing(check, good()) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}: {fault.name}")
def test_a_fault_has_failing_rows(checked: Checked, fault: Fault) -> None:
    tables = good()
    fault.make(tables)
    assert len(checked.failing(fault.check, tables)) == fault.count


def counts_of_any_size(tables: Tables) -> None:
    """Of seven attempts one has counts that the contract allows and no exam has: doubles of that size lose halves."""
    correct, questions = 180_376_403_732_499_794, 11
    first, other = tables["flat.attempts"]
    first.update(correct_count=correct, question_count=questions, score=correct / questions)
    tables["flat.attempts"] += [{**other, "attempt_id": name} for name in "cdefg"]
    score_sum = 6 * other["score"] + first["score"]  # in another order: 2 more
    counts = {"message_count": 8, "attempt_count": 7, "scored_attempt_count": 7, "unanswered_count": 7}
    counts |= {"question_count": questions + 6 * 4, "correct_count": correct + 6}
    for name in ("marts.exams", "marts.daily_activity"):
        tables[name][0].update(counts, score_sum=score_sum, mean_score=score_sum / 7)


def the_last_hour_of_9999_in_the_west(tables: Tables) -> None:
    """It is in the year 10000 in UTC, which has five digits."""
    for row in tables["flat.attempts"]:
        row.update(started_at="+10000-01-01 17:58:59", started_date="+10000-01-01")
    tables["marts.daily_activity"][0].update(started_date="+10000-01-01", started_hour=17)


@pytest.mark.parametrize(
    "check", [ATTEMPTS + "computed", *(at + name for at in (EXAMS, HOURS) for name in ("computed", "adds_up"))]
)
def test_a_count_of_any_size_stops_no_build(checked: Checked, check: str) -> None:
    tables = good()
    counts_of_any_size(tables)
    assert checked.failing(check, tables) == []


@pytest.mark.parametrize("check", [ATTEMPTS + "computed", HOURS + "adds_up"])
def test_a_start_in_the_year_10000_stops_no_build(checked: Checked, check: str) -> None:
    tables = good()
    the_last_hour_of_9999_in_the_west(tables)
    assert checked.failing(check, tables) == []


def test_every_check_has_a_fault() -> None:
    assert {fault.check for fault in FAULTS} == set(CHECKS)


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if "${since}" in (EXPECTATIONS / f"{check}.sql").read_text()]
)
def test_a_build_reads_what_is_new(checked: Checked, check: str) -> None:
    """A fault of landing 1 is not read again once a release showed that landing; it has no landing 3."""
    tables = good()
    fault = next(fault for fault in FAULTS if fault.check == check)
    fault.make(tables)
    assert checked.failing(check, tables, since=2) == []


def test_a_late_message_of_an_old_attempt_does_not_replace_a_newer_one(checked: Checked) -> None:
    """Landing 2 brings an older report of an attempt; showing it would hide the newer one of landing 1."""
    tables = good()
    late = message(2, "a", "e", 2, "2018-01-01 00:00:00")
    tables["flat.messages"].append(late)
    superseded = {**tables["flat.superseded_messages"][0], "kafka_offset": 2, "landing": 2, "last_landing": 2}
    tables["flat.superseded_messages"].append(superseded)
    assert checked.failing(ATTEMPTS + "newest_message", tables, since=1) == []
    superseded["kafka_offset"], tables["flat.attempts"][0] = 1, late
    (row,) = checked.failing(ATTEMPTS + "newest_message", tables, since=1)
    assert row[:3] == ("a", 0, 1)


@pytest.mark.parametrize(
    "hours",
    [
        hours_of(3, 10, 17, 24, 31),
        hours_of(3, 10, 17, 24, attempts=9),
        hours_of(3, 10, 24),
        hours_of(4, 11, 18, 25, hour=9),
    ],
    ids=["nothing is missing", "too few to expect any", "one week had none either", "the day is not over"],
)
def test_an_interval_is_missing_only_where_its_weekday_had_attempts_for_four_weeks(
    checked: Checked, hours: Callable[[Tables], Any]
) -> None:
    tables = good()
    hours(tables)
    assert checked.failing(HOURS + "intervals", tables) == []


def test_a_start_in_the_future_does_not_make_hours_of_the_last_day_missing(checked: Checked) -> None:
    """It is a wrong clock, and the last day is not over."""
    tables = good()
    hours_of(4, 11, 18, 25, hour=9)(tables)
    future = {"started_date": "2018-03-01"}
    update("flat.attempts", started_at="2018-03-01 10:20:30", **future)(tables)
    add("marts.daily_activity", **future)(tables)
    assert checked.failing(HOURS + "intervals", tables) == []


def test_checks_name_no_parameter_but_those_of_a_scope() -> None:
    texts = [(EXPECTATIONS / f"{check}.sql").read_text() for check in CHECKS]
    assert {name for text in texts for name in re.findall(r"\$\{(\w+)\}", text)} <= {
        "since",
        "landing",
        "release",
        "run_id",
    }
