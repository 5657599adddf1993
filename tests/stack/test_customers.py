"""Customers on real servers: what each finds in its tables, and that nobody gets out at the door."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from commands import Run
from comparing import assert_same, consumed, rows
from messages import attempt, publish, text
from oracle import Message, Row, is_accepted, tables, utc
from reliability import Case

from etl.customers import check, door
from etl.customers.attempts import attempts
from etl.errors import ServerError
from etl.land import land as run_land
from etl.servers import logins
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, Result, StatementError
from etl.settings import Settings, load
from etl.store.customers import KEYS, Customer, Customers, Period
from etl.store.ledger import Ledger

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
def without(settings: Settings, nasty: str) -> int:
    """How many expectations a validation has while there are no customers."""
    assert nasty
    return expectations(settings)


@pytest.fixture(scope="module")
def assigned(settings: Settings, run: Run, without: int) -> Iterator[Settings]:
    """Three customers who own most exams; one chose the name of its database."""
    assert without
    for words in (("acme",), ("bolt",), ("cog", "--database", "cog_data")):
        run("customers", "add", *words)
    exams = sorted({str(payload(message)["base_exam_id"]) for message in accepted(settings)})
    periods = [Period(exam, "acme") for exam in exams[::4]] + [Period(exam, "bolt") for exam in exams[1::4]]
    for exam in exams[2::4]:
        periods += [Period(exam, "cog", None, TRANSFERRED), Period(exam, "acme", TRANSFERRED)]
    Customers(Hdfs(settings)).assign(periods)
    run("build")
    yield settings
    for name in ("acme", "bolt", "cog"):
        run("customers", "remove", name)
    run("build")
    assert expectations(settings) == without


@pytest.fixture(scope="module")
def opened(assigned: Settings, run: Run) -> Settings:
    """The settings of the stack with the door of these customers open."""
    run("up", "--engine", "all", "--customers")
    return load(home=assigned.home)


def expectations(settings: Settings) -> int:
    """How many expectations the newest validation has."""
    with Hive(settings) as hive:
        statement = "SELECT COUNT(*) FROM ops.expectation_results GROUP BY run_id ORDER BY run_id DESC LIMIT 1"
        return int(hive.query(statement).rows[0][0])


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
    for name, messages in by_attempt.items():
        newest = max(messages, key=lambda message: (message.timestamp, message.partition, message.offset))
        if owner(settings, newest) == customer.name:
            own += messages
            counts[name] = len(messages)
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


def test_without_customers_no_statement_of_a_build_names_them(
    settings: Settings, nasty: str, quick_build: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    statements, query = [], Hive.query

    def recorded(self: Hive, statement: str) -> Result:
        statements.append(statement)
        return query(self, statement)

    publish(settings, text(attempt("one more")))
    run_land.land(settings, print)
    monkeypatch.setattr(Hive, "query", recorded)
    assert nasty
    quick_build()
    assert statements
    assert [statement for statement in statements if "customers." in statement] == []


def test_the_tables_of_every_customer_equal_the_computation_filtered_by_owner_and_day(
    assigned: Settings, case: Case
) -> None:
    for customer in Customers(Hdfs(assigned)).current():
        right = expected(assigned, customer)
        with Hive(assigned) as hive:
            for view in OF_VIEW:
                assert right[view], f"{customer.name} has no {view}"
                assert_same(rows(hive, f"{customer.database}.{view}"), right[view])
        case("Tables of customers", "compared with the computation by owner and day", "equal, row for row")


def test_a_customer_sees_whole_releases_during_builds_rollback_and_clean(
    assigned: Settings, run: Run, quick_build: Callable[..., None]
) -> None:
    own = next(iter(Customers(Hdfs(assigned)).current()))
    statement = f"SELECT (SELECT SUM(attempt_count) FROM {own.database}.exams) - COUNT(*) FROM {own.database}.attempts"
    done = threading.Event()
    differences: list[Any] = []

    def read() -> None:
        with Hive(assigned) as hive:
            while not done.is_set():
                differences.append(hive.query(statement).rows[0][0])

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            Customers(Hdfs(assigned)).assign([Period("another exam", own.name)])
            quick_build()
            run("rollback")
            quick_build()
            run("clean", "--yes")
        finally:
            done.set()
        reading.result()
    assert len(differences) > 3
    assert set(differences) == {0}


def test_an_erased_attempt_is_in_no_table_or_release_of_its_customer(
    assigned: Settings, run: Run, quick_build: Callable[..., None]
) -> None:
    own = next(iter(Customers(Hdfs(assigned)).current()))
    Customers(Hdfs(assigned)).assign([Period("an erased exam", own.name)])
    publish(assigned, text(attempt("to be erased", base_exam_id="an erased exam")))
    run("land")
    quick_build()
    here = f"SELECT COUNT(*) FROM {own.database}.attempts WHERE exam_id = 'an erased exam'"
    with Hive(assigned) as hive:
        assert hive.query(here).rows == [(1,)]
        run("erase", "attempt to be erased", "--reason", "request 18")
        assert hive.query(here).rows == [(0,)]
        assert hive.query("SELECT 1 FROM customers.attempt_owners WHERE attempt_id = 'attempt to be erased'").rows == []
        names = [row[-1] for row in hive.query(f"SHOW PARTITIONS {own.database}.attempts_v1").rows]
    hdfs = Hdfs(assigned)
    published = Ledger(hdfs).state().published
    assert published
    newest = f"release={published.release}"
    assert {name.split("/")[0] for name in names} == {newest}
    folders = {name for table in hdfs.names("customers") for name in hdfs.names("customers", table)}
    assert {name for name in folders if name.startswith("release=")} == {newest}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT COUNT(*), AVG(score), MIN(started_at) FROM attempts",
        "SELECT exam_name, RANK() OVER (ORDER BY attempt_count DESC) AS place FROM exams ORDER BY place LIMIT 3",
        "WITH days AS (SELECT started_date, SUM(attempt_count) AS attempts FROM daily_activity GROUP BY started_date) "
        "SELECT DATE_FORMAT(started_date, 'yyyy-MM'), SUM(attempts) FROM days "
        "GROUP BY DATE_FORMAT(started_date, 'yyyy-MM')",
        "SELECT a.exam_id, COUNT(DISTINCT q.question_id), CAST(SUM(q.is_correct) AS DECIMAL(10, 2)) FROM (SELECT "
        "attempt_id, question_id, CASE WHEN question_position BETWEEN 1 AND 9 THEN 1 ELSE 0 END AS is_correct FROM "
        "attempt_questions) AS q JOIN attempts AS a ON a.attempt_id = q.attempt_id "
        "GROUP BY a.exam_id HAVING COUNT(*) > 0",
        "SELECT word, COUNT(*) FROM exams LATERAL VIEW EXPLODE(SPLIT(LOWER(exam_name), ' ')) words AS word "
        "GROUP BY word",
        "SELECT * FROM attempts WHERE started_at >= TIMESTAMP '2018-01-01 00:00:00' AND exam_name NOT LIKE 'x%' "
        "LIMIT 5",
        "SELECT exam_id FROM exams WHERE exam_id IN (SELECT exam_id FROM attempts) UNION ALL SELECT "
        "exam_id FROM questions",
        "SELECT PERCENTILE(question_count, 0.5), EXTRACT(YEAR FROM MIN(started_at)), COUNT(*) % 2 <=> NULL "
        "FROM attempts",
        "DESCRIBE attempts",
        "SHOW COLUMNS IN attempts",
        "SHOW TABLES",
        "SHOW DATABASES",
        "EXPLAIN SELECT COUNT(*) FROM attempts",
    ],
)
def test_a_customer_can_run(opened: Settings, statement: str) -> None:
    for customer in Customers(Hdfs(opened)).current():
        with Hive(door.as_customer(opened, customer)) as hive:
            assert hive.query(statement).rows


def test_a_customer_sees_the_names_of_its_views_alone(opened: Settings) -> None:
    for customer in Customers(Hdfs(opened)).current():
        with Hive(door.as_customer(opened, customer)) as hive:
            assert hive.query("SHOW DATABASES").rows == [(customer.database,)]
            assert {row[0] for row in hive.query("SHOW TABLES").rows} == set(OF_VIEW)


def test_at_the_door_a_customer_reads_its_rows(opened: Settings) -> None:
    for customer in Customers(Hdfs(opened)).current():
        right = expected(opened, customer)
        with Hive(door.as_customer(opened, customer)) as hive:
            for view in OF_VIEW:
                assert_same(rows(hive, view), right[view])


def test_query_and_report_of_a_customer_log_in_at_the_door(opened: Settings, run: Run) -> None:
    own, *others = Customers(Hdfs(opened)).current()
    right = expected(opened, own)
    output = run("query", "--customer", own.name, "SELECT COUNT(*) AS attempts FROM attempts", "--json").stdout
    assert json.loads(output) == [{"attempts": len(right["attempts"])}]
    run("query", "--customer", own.name, f"SELECT 1 FROM {others[0].database}.attempts", code=1)
    run("report", "--customer", own.name)
    text = (opened.home / "customers" / own.name / "reports" / "report.html").read_text()
    names = {str(row["exam_name"]) for row in right["exams"]}
    texts = check.secrets(opened, [own, *others])
    hidden = set().union(*(words for database, words in texts.items() if database != own.database))
    assert any(name in text for name in names)
    own_names = "\n".join(names).lower()
    hidden = {word for word in hidden if word.lower() not in own_names and not word.isalpha()}  # "last" is an exam too
    assert check.leaks(text, hidden) == []


def test_no_customer_gets_out(opened: Settings, run: Run, case: Case) -> None:
    done = json.loads(run("customers", "check", "--json").stdout)
    assert done["escapes"] == 0
    assert len(done["pairs"]) == 3 * len(Customers(Hdfs(opened)).current())
    for pair in done["pairs"]:
        assert pair["attempts"] >= 100
        name = "A customer against another at the customers' door"
        case(name, "attempts to get out", "0 rows, values, names", pair["attempts"])


def test_users_are_added_to_one_customer_and_removed(opened: Settings, run: Run) -> None:
    own, other, _ = Customers(Hdfs(opened)).current()
    [line] = run("customers", "users", own.name, "--add", "alice").stdout.splitlines()
    user, password = line.split()
    session = door.at_door(opened, user, password, own.database)
    with Hive(session) as hive:
        assert hive.query("SELECT COUNT(*) FROM exams").rows[0][0] > 0
    assert json.loads(run("customers", "users", own.name, "--json").stdout)["users"] == ["alice", own.database]
    assert "alice is a user of another customer" in run("customers", "users", other.name, "--add", "alice", code=2).stderr
    assert "bob is no user" in run("customers", "users", own.name, "--remove", "bob", code=2).stderr
    assert run("customers", "users", own.name, "--remove", "alice").stdout.splitlines() == [own.database]
    with pytest.raises(ServerError):
        Hive(session)


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


def test_statements_and_logins_are_rows_without_their_results(opened: Settings, run: Run) -> None:
    own, other, _ = Customers(Hdfs(opened)).current()
    with Hive(door.as_customer(opened, own)) as hive:
        ((exam,),) = hive.query("SELECT MIN(exam_name) FROM exams WHERE 'audited' <> ''").rows
        for statement in ("SELECT 'audited' FROM nothing", f"SELECT 'audited' FROM {other.database}.attempts"):
            with pytest.raises(StatementError):
                hive.query(statement)
    with pytest.raises(ServerError):
        Hive(door.at_door(opened, "mallory", "guess"))
    run("customers", "queries")
    with Hive(opened) as hive:
        statement = "SELECT user_name, outcome, statement_text FROM ops.queries WHERE statement_text LIKE '%audited%'"
        lines = hive.query(f"{statement} ORDER BY started_at").rows
        assert [(user, outcome) for user, outcome, _ in lines] == [
            (own.database, "succeeded"),
            (own.database, "failed"),
            (own.database, "refused"),
        ]
        assert exam not in str(lines)
        assert hive.query("SELECT outcome FROM ops.queries WHERE user_name = 'mallory'").rows == [("login refused",)]


# Superset


@pytest.fixture(scope="module")
def superset(opened: Settings, run: Run) -> Superset:
    """Superset beside the stack, with the customers' door."""
    return Superset(opened.home, address(run("superset").stderr), run)


@pytest.fixture(scope="module")
def analyst(superset: Superset, opened: Settings) -> Superset:
    """A user of Superset who has the role of the first customer, and nothing else."""
    own = next(iter(Customers(Hdfs(opened)).current()))
    role = superset.named("security/roles", "name")[connections.title(own)]["id"]
    names = {"username": "alice", "first_name": "Alice", "last_name": "Analyst", "email": "alice@localhost"}
    superset.post("security/users/", {**names, "password": "of alice", "active": True, "roles": [role]})
    return replace(superset, user="alice", user_password="of alice")  # noqa: S106


def test_an_analyst_finds_the_connection_and_the_datasets_of_one_customer(
    analyst: Superset, superset: Superset, opened: Settings
) -> None:
    own, *others = Customers(Hdfs(opened)).current()
    [found] = analyst.get("database/")["result"]
    assert found["database_name"] == connections.title(own)
    assert len(superset.get("database/")["result"]) == 2 + len(others)
    datasets = analyst.get("dataset/?q=(page_size:100)")["result"]
    assert {(each["schema"], each["table_name"]) for each in datasets} == {(own.database, view) for view in OF_VIEW}
    listed = analyst.get(f"database/{found['id']}/tables/?q=(schema_name:{own.database},force:!t)")["result"]
    assert {each["value"] for each in listed} == set(OF_VIEW)


def test_an_analyst_queries_and_draws_what_the_customer_owns(analyst: Superset, opened: Settings) -> None:
    own = next(iter(Customers(Hdfs(opened)).current()))
    [found] = analyst.get("database/")["result"]
    right = {row["exam_name"]: row["attempt_count"] for row in expected(opened, own)["exams"]}
    answer = analyst.query(found["id"], own.database, "SELECT exam_name, SUM(attempt_count) FROM exams GROUP BY exam_name")
    assert len(answer["data"]) == len(right)
    [dataset] = [each for each in analyst.get("dataset/?q=(page_size:100)")["result"] if each["table_name"] == "exams"]
    metric = {"expressionType": "SQL", "sqlExpression": "SUM(attempt_count)", "label": "attempts"}
    query = {"metrics": [metric], "columns": [], "row_limit": 10}
    source = {"id": dataset["id"], "type": "table"}
    [drawn] = analyst.post("chart/data", {"datasource": source, "queries": [query]})["result"]
    assert drawn["data"] == [{"attempts": len(expected(opened, own)["attempts"])}]


def test_an_analyst_reaches_no_other_customer_by_superset(
    analyst: Superset, superset: Superset, opened: Settings, case: Case
) -> None:
    own, other, *_ = Customers(Hdfs(opened)).current()
    [found] = analyst.get("database/")["result"]
    for sql in (f"SELECT * FROM {other.database}.exams", "SELECT * FROM flat.attempts", "SHOW DATABASES LIKE '*'"):
        assert check.leaks(json.dumps(analyst.query(found["id"], other.database, sql)), secrets_of(opened, other)) == []
    hidden = secrets_of(opened, other) | {"warehouse", "admin", "bolt", "cog"}
    answers = 0
    for path in readable(superset):
        answers += 1
        text = json.dumps(analyst.get(path))
        assert check.leaks(text, hidden) == [], path
    case("A customer against another in Superset", "answers of its API read", "0 rows, values, names", answers)
