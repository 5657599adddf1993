"""Customers on real servers: what each finds in its tables, and that nobody gets out at the door."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from commands import Run
from comparing import assert_same, consumed, rows
from oracle import Message, Row, is_accepted, tables, utc
from reliability import Case

from etl.customers import check, door
from etl.customers.attempts import attempts
from etl.servers import logins
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive
from etl.settings import Settings, load
from etl.store.customers import KEYS, Customer, Customers, Period
from stack import processes

pytestmark = pytest.mark.long("customers")
TRANSFERRED = "2018-01-05"  # the day from which the exams of cog are those of acme
LEFT_OUT = ("event_id", "kafka_topic", "kafka_partition", "kafka_offset", "kafka_published_at")
OF_VIEW = {
    "attempts": "flat.attempts",
    "attempt_questions": "flat.attempt_questions",
    "question_options": "flat.question_options",
    "exams": "marts.exams",
    "questions": "marts.questions",
    "daily_activity": "marts.daily_activity",
}


@pytest.fixture(scope="module")
def opened(settings: Settings, run: Run, nasty: str) -> Iterator[Settings]:
    """The settings of the stack with its door open, and three customers; one chose its database."""
    assert nasty
    door.prepare(settings)
    processes.up(settings, print, "all", has_customers=True)
    for words in (("acme",), ("bolt",), ("cog", "--database", "cog_data")):
        run("customers", "add", *words)
    given = load(home=settings.home)
    exams = sorted({str(payload(message)["base_exam_id"]) for message in accepted(given)})
    periods = [Period(exam, "acme") for exam in exams[::4]] + [Period(exam, "bolt") for exam in exams[1::4]]
    for exam in exams[2::4]:
        periods += [Period(exam, "cog", None, TRANSFERRED), Period(exam, "acme", TRANSFERRED)]
    Customers(Hdfs(given)).assign(periods)
    run("build")
    yield given
    for name in ("acme", "bolt", "cog"):
        run("customers", "remove", name)
    run("build")


def accepted(settings: Settings) -> list[Message]:
    return [message for message in consumed(settings) if is_accepted(message.value)]


def payload(message: Message) -> Row:
    return dict(json.loads(message.value or b""))


def owner(settings: Settings, message: Message) -> str:
    """Who owned the exam of a message when it was started, by the rows of ops.exam_owners alone."""
    text = payload(message)
    started = utc(text.get("started_at"))
    for row in Customers(Hdfs(settings))._rows(("ops", "exam_owners_v1")):
        if row["exam_id"] != text["base_exam_id"]:
            continue
        day = str(started.date()) if started else None
        is_after = row["valid_from"] is None or (day is not None and day >= row["valid_from"])
        is_before = row["valid_to"] is None or (day is not None and day < row["valid_to"])
        if is_after and is_before:
            return str(row["customer"])
    return "nobody"


def expected(settings: Settings, customer: Customer) -> dict[str, list[Row]]:
    """The tables of a customer in plain Python, from the messages about attempts that are its own."""
    by_attempt: dict[str, list[Message]] = {}
    for message in accepted(settings):
        by_attempt.setdefault(payload(message)["user_exam_id"], []).append(message)
    own: list[Message] = []
    counts = {}
    for attempt, messages in by_attempt.items():
        newest = max(messages, key=lambda message: (message.timestamp, message.partition, message.offset))
        if owner(settings, newest) == customer.name:
            own += messages
            counts[attempt] = len(messages)
    (pads,) = Hdfs(settings).rows(*KEYS, f"{customer.database}.json")

    def pseudonym(attempt: str) -> str:
        inner = hashlib.sha256(bytes.fromhex(pads["inner_pad"]) + attempt.encode()).digest()
        return hashlib.sha256(bytes.fromhex(pads["outer_pad"]) + inner).hexdigest()

    def seen(view: str, row: Row) -> Row:
        kept = {name: value for name, value in row.items() if name not in LEFT_OUT}
        if view == "attempts":
            kept["message_count"] = counts[kept["attempt_id"]]
        return {name: pseudonym(value) if name == "attempt_id" else value for name, value in kept.items()}

    computed = tables(own)
    return {view: [seen(view, row) for row in computed[table]] for view, table in OF_VIEW.items()}


def test_the_tables_of_every_customer_equal_the_computation_filtered_by_owner_and_day(
    opened: Settings, case: Case
) -> None:
    for customer in Customers(Hdfs(opened)).current():
        right = expected(opened, customer)
        with Hive(door.as_customer(opened, customer)) as hive:
            for view in OF_VIEW:
                assert right[view], f"{customer.name} has no {view}"
                assert_same(rows(hive, f"{customer.database}.{view}"), right[view])
        case("Tables of customers", "compared with the computation by owner and day", "equal, row for row")


def test_no_customer_gets_out(opened: Settings, case: Case) -> None:
    for pair in check.check(opened):
        tried = sum(pair.tried.values())
        assert not pair.escapes, [(escape.attempt.statement, escape.gain) for escape in pair.escapes]
        assert tried >= 100
        case("A customer against another at the customers' door", "attempts to get out", "0 rows, values, names", tried)


def test_a_login_without_a_role_gets_nothing(opened: Settings, case: Case) -> None:
    password = logins.add(door.password_file(opened), "stranger")
    own, other, _ = Customers(Hdfs(opened)).current()
    hidden = set().union(*check.secrets(opened, [own, other]).values())
    pair = check.pair(door.at_door(opened, "stranger", password), own, other, hidden, "x", has_rights=False)
    assert not pair.escapes, [(escape.attempt.statement, escape.gain) for escape in pair.escapes]
    tried = sum(pair.tried.values())
    case("A login without a role at the customers' door", "attempts to get out", "0 rows, values, names", tried)


def test_an_attempt_that_gets_something_is_noticed(opened: Settings) -> None:
    """Against itself a customer reads everything: so the matrix can fail."""
    own = next(iter(Customers(Hdfs(opened)).current()))
    pair = check.pair(door.as_customer(opened, own), own, own, set(), "x")
    assert len(pair.escapes) > 20


def test_a_wrong_password_is_refused(opened: Settings) -> None:
    own = next(iter(Customers(Hdfs(opened)).current()))
    for user, password in ((own.database, "guess"), ("nobody", "guess"), (own.database, "none"), ("", "guess")):
        with pytest.raises(Exception, match=r"refused the login|Error validating"):
            Hive(door.at_door(opened, user or "x", password))


def test_a_reader_sees_whole_releases_during_builds_and_rollback(
    opened: Settings, run: Run, quick_build: Callable[..., None]
) -> None:
    own = next(iter(Customers(Hdfs(opened)).current()))
    statement = f"SELECT (SELECT SUM(attempt_count) FROM {own.database}.exams) - COUNT(*) FROM {own.database}.attempts"
    with Hive(door.as_customer(opened, own)) as hive:

        def is_whole() -> Any:
            return hive.query(statement).rows[0][0]

        assert is_whole() == 0
        Customers(Hdfs(opened)).assign([Period("another exam", own.name)])
        quick_build()
        assert is_whole() == 0
        run("rollback")
        assert is_whole() == 0
        quick_build()
        run("clean", "--yes")
        assert is_whole() == 0


def test_every_pair_has_attempts_of_every_kind() -> None:
    kinds = {attempt.kind for attempt in attempts("c_a", "c_b", "c_b", "x")}
    assert {
        "base tables and views of others",
        "EXPLAIN",
        "DESCRIBE",
        "SHOW",
        "statements",
        "sessions",
        "calls",
    } <= kinds
