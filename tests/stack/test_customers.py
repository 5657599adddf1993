"""Customers on real servers: what each finds in its tables, and that nobody gets out at the door."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import login_servers
import pytest
from commands import Run, runner
from comparing import assert_same, consumed, rows
from messages import attempt, publish, text
from oracle import Message, Row, is_accepted, tables, utc
from reliability import Case
from superset_api import Superset, address

from etl import sqlfile
from etl.customers import check, door
from etl.customers.attempts import attempts
from etl.errors import ServerError
from etl.land import land as run_land
from etl.servers import logins
from etl.servers.hdfs import Hdfs
from etl.servers.hive import Hive, Result, StatementError
from etl.settings import Settings, load
from etl.store.customers import KEYS, Customer, Customers
from etl.store.ledger import Ledger
from etl.store.periods import Period
from etl.superset import connections
from stack import processes
from stack.layout import HOST

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


def test_clean_takes_from_a_customer_what_is_older_than_it_keeps(
    assigned: Settings, run: Run, quick_build: Callable[..., None]
) -> None:
    run("customers", "add", "dot")
    own, today = Customers(Hdfs(assigned)).get("dot"), datetime.datetime.now(datetime.UTC)
    first = (today.replace(day=1) - datetime.timedelta(days=1)).replace(day=1, hour=0, minute=0, second=0)
    started = {"dot 1": first, "dot 2": first - datetime.timedelta(seconds=1), "dot 3": today}
    times = {name: f"{time:%Y-%m-%dT%H:%M:%S.000Z}" for name, time in started.items()} | {"dot 4": "unknown"}
    for name, time in times.items():
        publish(assigned, text(attempt(name, base_exam_id="exam of dot", started_at=time)))
    Customers(Hdfs(assigned)).assign([Period("exam of dot", "dot")])
    run("land")
    quick_build()
    here = f"SELECT exam_name FROM {own.database}.attempts ORDER BY exam_name"
    nobody = "SELECT COUNT(*) FROM customers.owned_attempts WHERE customer = 'nobody' AND exam_id = 'exam of dot'"
    keeping = ("--set", 'keep_months={"customers.dot": 1}', "clean", "--json")
    with Hive(assigned) as hive:
        [row] = [row for row in json.loads(run(*keeping).stdout)["paths"] if row["path"] == "attempts of dot"]
        assert row["why"] == f"2 started before {first:%Y-%m-%d}, or at an unknown time"
        assert len(hive.query(here).rows) == 4
        run(*keeping, "--yes")  # with a validation: customers and nobody are all
        assert hive.query(here).rows == [("dot 1",), ("dot 3",)]
        assert hive.query(nobody).rows == [(2,)]
        assert "attempts of dot" not in run(*keeping).stdout
        assert "no release to go back to" in run("rollback", code=1).stderr
        Customers(Hdfs(assigned)).assign([Period("one more exam", "dot")])
        quick_build()  # where the setting is not known
        assert hive.query(here).rows == [("dot 1",), ("dot 3",)]
    assert "which is no customer" in run("--set", 'keep_months={"customers.dott": 1}', "clean", code=2).stderr
    run("customers", "remove", "dot")


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


@pytest.mark.usefixtures("opened")
def test_no_customer_gets_out(run: Run, case: Case) -> None:
    done = json.loads(run("customers", "check", "--json").stdout)
    assert done["escapes"] == 0
    assert len(done["pairs"]) == 3 * 2
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
    refused = run("customers", "users", other.name, "--add", "alice", code=2)
    assert "alice is a user of another customer" in refused.stderr
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


# A certificate and a directory of the company


def test_the_door_is_encrypted_and_asks_a_directory(opened: Settings, run: Run, tmp_path: Path) -> None:
    own, other, _ = Customers(Hdfs(opened)).current()
    authority = login_servers.Authority(tmp_path, "company")
    (tmp_path / "password").write_text(login_servers.KEYSTORE)
    passwords = {logins.ADMIN: door.admin_file(opened).read_text(), "carol": "of carol", "dora": "of dora"}
    with login_servers.gateway() as java:
        variables = {
            "home": opened.home,
            "customers_ldap": f"ldap://{HOST}:{login_servers.directory(java, passwords)}",
            "customers_ldap_dn": f"uid=%s,{login_servers.PEOPLE}",
            "customers_keystore": authority.keystore(tmp_path / "keystore", HOST),
            "customers_keystore_password_file": tmp_path / "password",
            "hive_tls_ca": authority.pem,
        }
        given = {f"WAREHOUSE_{name.upper()}": str(value) for name, value in variables.items()}
        try:
            reopen(opened, runner(given))
            runner(given)("customers", "users", own.name, "--add", "carol")
            words = ("query", "--json", "--customer", own.name, "SELECT COUNT(*) AS attempts FROM attempts")
            for user, password, code in (("carol", "of carol", 0), ("carol", "guess", 1), ("dora", "of dora", 1)):
                as_user = {"WAREHOUSE_HIVE_USER": user, "WAREHOUSE_HIVE_PASSWORD": password}
                answer = runner(given | as_user)(*words, code=code).stdout
                assert not answer or json.loads(answer) == [{"attempts": len(expected(opened, own)["attempts"])}]
            secured = load(**variables)
            with Hive(door.at_door(secured, "carol", "of carol")) as hive, pytest.raises(StatementError):
                hive.query(f"SELECT 1 FROM {other.database}.attempts")
            for unknown in ({"hive_tls_ca": None}, {"customers_keystore": None}):
                with pytest.raises(ServerError):
                    Hive(door.at_door(secured.model_copy(update=unknown), "carol", "of carol"))
            runner(given)("customers", "users", own.name, "--remove", "carol")
        finally:
            reopen(opened, run)


def reopen(settings: Settings, run: Run) -> None:
    """Open the door with other settings."""
    processes.stop(processes.read(settings)["processes"]["customers"])
    run("up", "--engine", "all", "--customers")


# Superset


KINDS = ("database", "dataset", "chart", "dashboard", "saved_query", "query")
RELATED = ("owners", "created_by", "changed_by", "roles", "user", "database")


def readable(superset: Superset, ids: dict[str, list[int]]) -> Iterator[str]:
    """All that can be read from the API by a path, with the ids that there are, of lists and their related names."""
    for path, verbs in superset.get("_openapi")["paths"].items():
        short = path.removeprefix("/api/v1/")
        pieces = set(re.findall(r"{(\w+)}", short))
        if "get" not in verbs or pieces - {"pk", "id_or_uuid", "id_or_slug", "column_name"}:
            continue
        numbers = ids.get(short.split("/")[0], [1, 2, 3]) if pieces - {"column_name"} else [0]
        for number in numbers:
            for column in RELATED if "column_name" in pieces else [""]:
                named = short.replace("{column_name}", column)
                yield re.sub(r"{\w+}", str(number), named)
                if "/related/" in short:
                    yield f"{named}?q=(include_ids:!(1,2,3,4,5,6,7,8))"


@pytest.fixture(scope="module")
def superset(opened: Settings, run: Run) -> Superset:
    """Superset beside the stack, with the customers' door."""
    return Superset(opened.home, address(run("superset").stderr), run)


@pytest.fixture(scope="module")
def analyst(superset: Superset, opened: Settings) -> Superset:
    """A user of Superset who has the role of the first customer, and nothing else."""
    own = next(iter(Customers(Hdfs(opened)).current()))
    return user_of(superset, own, "alice")


def user_of(superset: Superset, customer: Customer, name: str) -> Superset:
    """A new user of Superset with the role of a customer."""
    role = superset.named("security/roles", "name")[connections.title(customer)]["id"]
    names = {"username": name, "first_name": name, "last_name": f"{name} of Superset", "email": f"{name}@localhost"}
    superset.post("security/users/", {**names, "password": f"of {name}", "active": True, "roles": [role]})
    return replace(superset, user=name, user_password=f"of {name}")


def test_an_analyst_finds_the_connection_and_the_datasets_of_one_customer(
    analyst: Superset, superset: Superset, opened: Settings
) -> None:
    own, *others = Customers(Hdfs(opened)).current()
    [reached] = analyst.get("database/")["result"]
    assert reached["database_name"] == connections.title(own)
    assert len(superset.get("database/")["result"]) == 2 + len(others)
    datasets = analyst.get("dataset/?q=(page_size:100)")["result"]
    assert {(each["schema"], each["table_name"]) for each in datasets} == {(own.database, view) for view in OF_VIEW}
    listed = analyst.get(f"database/{reached['id']}/tables/?q=(schema_name:{own.database},force:!t)")["result"]
    assert {each["value"] for each in listed} == set(OF_VIEW)


def test_an_analyst_queries_and_draws_what_the_customer_owns(analyst: Superset, opened: Settings) -> None:
    own = next(iter(Customers(Hdfs(opened)).current()))
    [reached] = analyst.get("database/")["result"]
    right = expected(opened, own)
    answer = analyst.query(reached["id"], own.database, "SELECT exam_id FROM exams")
    assert {row["exam_id"] for row in answer["data"]} == {row["exam_id"] for row in right["exams"]}
    [dataset] = [each for each in analyst.get("dataset/?q=(page_size:100)")["result"] if each["table_name"] == "exams"]
    metric = {"expressionType": "SQL", "sqlExpression": "SUM(attempt_count)", "label": "attempts"}
    query = {"metrics": [metric], "columns": [], "row_limit": 10}
    source = {"id": dataset["id"], "type": "table"}
    [drawn] = analyst.post("chart/data", {"datasource": source, "queries": [query]})["result"]
    assert drawn["data"] == [{"attempts": len(right["attempts"])}]


def test_an_analyst_reaches_no_other_customer_by_superset(
    analyst: Superset, superset: Superset, opened: Settings, case: Case
) -> None:
    own, *others = Customers(Hdfs(opened)).current()
    texts = check.secrets(opened, [own, *others])
    hidden = set().union(*(words for database, words in texts.items() if database != own.database))
    user_of(superset, others[0], "bob")
    ids = {kind: [each["id"] for each in superset.get(f"{kind}/?q=(page_size:100)")["result"]] for kind in KINDS}
    answers = [analyst.text(path) for path in readable(superset, ids)]
    for other in others:
        statement = f"SELECT * FROM {other.database}.exams"
        answers += [json.dumps(analyst.query(each, own.database, statement)["errors"]) for each in ids["database"]]
    comments = "".join(file.text for file in sqlfile.files())  # of columns; an exam of the tests is "exam names"
    telling = {word for word in hidden if not word.isalpha() and word not in comments}
    telling |= {"bob", *(other.name for other in others)}
    assert [leak for text in answers for leak in check.leaks(text, telling)] == []
    assert "bob" in superset.text("dataset/related/created_by")
    case("A customer against others in Superset", "answers of its API read", "0 rows, values, names", len(answers))


def test_a_removed_customer_leaves_superset(superset: Superset, run: Run) -> None:
    before = superset.named("database", "database_name"), superset.named("security/roles", "name")
    run("customers", "add", "eve")
    run("superset")
    [name] = superset.named("database", "database_name").keys() - before[0].keys()
    assert name.startswith("eve (") and name in superset.named("security/roles", "name")
    run("customers", "remove", "eve")
    run("superset")
    assert superset.named("database", "database_name").keys() == before[0].keys()
    assert superset.named("security/roles", "name").keys() == before[1].keys()


# The last one, since Kafka then has no messages to compute from


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
