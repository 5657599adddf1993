"""Customers without servers: whose exam it is on a day, keys of pseudonyms, the password file and its directory."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from etl.customers import door, queries
from etl.customers.attempts import attempts
from etl.errors import UsageError
from etl.servers import logins
from etl.servers.hive import Result
from etl.settings import load
from etl.store.customer_schema import drop_removed
from etl.store.customers import CHANGES, KEYS, OWNERS, Customers, pads, pseudonym
from etl.store.periods import Period, fold, refuse_overlaps, shortened
from etl.store.schema import Schema
from stack.logins import DN, Server

DAYS = [None, *(f"2018-01-{day:02}" for day in range(1, 9))]


class Folder:
    """As much of HDFS as customers need, in memory; before a call another command may run."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        self.interrupted: tuple[int, Callable[[], object]] = (0, lambda: None)  # at this call of `names`, by this

    def names(self, *folder: str) -> list[str]:
        left, other = self.interrupted
        self.interrupted = (left - 1, other)
        if left == 1:
            other()
        return sorted(path[-1] for path in self.files if path[:-1] == folder)

    def rows(self, *path: str) -> list[dict[str, Any]]:
        return self.files[path]

    def put_rows(self, rows: list[dict[str, Any]], *path: str) -> bool:
        return self.files.setdefault(path, rows) is rows

    def remove(self, *path: str) -> None:
        self.files.pop(path, None)


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.fixture
def customers(folder: Folder) -> Customers:
    """Two customers, acme and bolt."""
    customers = Customers(folder)  # type: ignore[arg-type]
    customers.add("acme", "c_a")
    customers.add("bolt", "c_b")
    return customers


# Whose exam it is


def test_an_exam_belongs_to_who_it_was_assigned_to(customers: Customers) -> None:
    customers.assign([Period("x", "acme", "2018-01-01", "2018-02-01"), Period("x", "bolt", "2018-02-01")])
    assert customers.periods() == [
        Period("x", "c_a", "2018-01-01", "2018-02-01"),
        Period("x", "c_b", "2018-02-01"),
    ]


def test_a_period_that_overlaps_another_is_refused_and_both_are_named(customers: Customers) -> None:
    customers.assign([Period("x", "acme")])
    with pytest.raises(UsageError, match="x of bolt from 2018-02-01 to ever overlaps x of acme from ever to ever"):
        customers.assign([Period("x", "bolt", "2018-02-01")])
    with pytest.raises(UsageError, match="overlaps"):
        customers.assign([Period("y", "acme", "2018-01-01"), Period("y", "acme", "2018-01-02")])
    assert customers.periods() == [Period("x", "c_a")]


def test_a_transfer_takes_the_days_from_a_date_on_or_all_of_them(customers: Customers) -> None:
    customers.assign([Period("x", "acme"), Period("y", "acme")])
    customers.assign([Period("x", "bolt", "2018-02-01"), Period("y", "bolt")], is_transfer=True)
    assert customers.periods() == [
        Period("x", "c_a", None, "2018-02-01"),
        Period("x", "c_b", "2018-02-01"),
        Period("y", "c_b"),
    ]


def test_a_transfer_to_nobody_leaves_the_days_without_an_owner(customers: Customers) -> None:
    customers.assign([Period("x", "acme")])
    customers.assign([Period("x", "nobody", "2018-02-01", "2018-03-01")], is_transfer=True)
    assert customers.periods() == [Period("x", "c_a", None, "2018-02-01"), Period("x", "c_a", "2018-03-01")]


@pytest.mark.parametrize(
    ("period", "cause"),
    [(Period("x", "zeta"), "no customer zeta"), (Period("x", "acme", "2018-02-01", "2018-02-01"), "ends before")],
)
def test_what_cannot_be_assigned_is_refused(customers: Customers, period: Period, cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        customers.assign([period])


def test_what_a_removed_customer_owned_belongs_to_nobody(customers: Customers) -> None:
    customers.assign([Period("x", "acme")])
    customers.remove("acme")
    assert customers.periods() == [] and [customer.name for customer in customers.current()] == ["bolt"]


def test_a_customer_that_gets_the_name_of_a_removed_one_owns_none_of_its_exams(customers: Customers) -> None:
    customers.assign([Period("x", "acme"), Period("y", "acme", None, "2018-02-01"), Period("y", "bolt", "2018-02-01")])
    customers.remove("acme")
    customers.add("acme", "c_2")
    assert customers.periods() == [Period("y", "c_b", "2018-02-01")]
    customers.assign([Period("x", "bolt")])


@pytest.mark.parametrize("call", ["put_rows", "remove"])
def test_a_removal_that_was_killed_is_completed_by_the_next(
    call: str, customers: Customers, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers.assign([Period("x", "acme")])
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(folder, call, lambda *_: 1 // 0)
        customers.remove("acme")
    assert customers.remove("acme").database == "c_a"
    assert customers.remove("acme").database == "c_a"
    assert [customer.name for customer in customers.current()] == ["bolt"]
    assert (*KEYS, "c_a.json") not in folder.files and (*KEYS, "c_b.json") in folder.files
    assert len(customers.removed()) == 1


class Session:
    """A session on a metastore whose hashes say that two customers have tables."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def query(self, statement: str) -> Result:
        self.sent.append(statement)
        return Result([], [("tables of c_a=0\ntables of c_b=0", 0, 0)])

    def tables(self, _: str) -> list[str]:
        return ["attempts", "attempts_v1"]


def test_the_database_that_a_killed_removal_left_is_dropped_by_the_next_command(
    customers: Customers, folder: Folder, tmp_path: Path
) -> None:
    customers.remove("acme")
    session: Any = Session()
    schema = Schema(load(home=tmp_path), session, folder)  # type: ignore[arg-type]
    schema.forget()  # as clean and repair do
    drop_removed(schema)
    dropped = [statement for statement in session.sent if statement.startswith("DROP")]
    assert dropped == [
        "DROP VIEW IF EXISTS c_a.attempts",
        "DROP TABLE IF EXISTS c_a.attempts_v1",
        "DROP DATABASE IF EXISTS c_a CASCADE",
    ]


@pytest.mark.parametrize("at", range(1, 9))
def test_of_two_commands_at_once_the_later_one_checks_against_what_the_earlier_did(
    at: int, customers: Customers, folder: Folder
) -> None:
    earlier, later = Customers(folder), Customers(folder)  # type: ignore[arg-type]

    def interrupted(command: Callable[[], object], other: Callable[[], object]) -> None:
        folder.interrupted = (at, other)
        with contextlib.suppress(UsageError):
            command()
        folder.interrupted = (0, other)

    interrupted(lambda: later.assign([Period("x", "bolt")]), lambda: earlier.assign([Period("x", "acme")]))
    assert len(folder.names(*OWNERS)) == 1
    interrupted(lambda: later.add("ci", "c_1"), lambda: earlier.add("ci", "c_2"))
    assert len(folder.names(*CHANGES)) == 3 and len(customers.current()) == 3


def test_a_copy_of_a_file_or_a_lost_one_changes_nothing_and_stops_nothing(customers: Customers, folder: Folder) -> None:
    for number in ("1", "2"):
        folder.files[*CHANGES, f"change-00000000000{number}.json.bak"] = [{"customer": "ghost"}]
    folder.files[*KEYS, "c_a (copy).json"] = [{}]
    customers.remove("acme")
    del folder.files[*CHANGES, "change-000000000001.json"]
    customers.add("ci", "c_c")
    assert [customer.name for customer in customers.current()] == ["bolt", "ci"]
    assert len(customers.pseudonyms(["a"])) == 3


def test_a_customer_keeps_the_days_from_its_first_one_on(customers: Customers) -> None:
    customers.assign([Period("e1", "acme", "2018-02-01"), Period("e1", "bolt", None, "2018-02-01")])
    customers.assign([Period("e2", "acme", "2018-01-01", "2018-03-01"), Period("e3", "acme", "2019-01-01")])
    assert shortened(customers.periods(), {"c_a": "2018-03-01"}) == [
        Period("e1", "c_b", None, "2018-02-01"),
        Period("e1", "c_a", "2018-03-01"),
        Period("e3", "c_a", "2019-01-01"),
    ]
    assert shortened(customers.periods(), {}) == customers.periods()


def test_a_name_or_database_is_given_once(customers: Customers) -> None:
    for name, database in (("acme", "c_c"), ("ci", "c_a"), ("ci", "flat"), ("nobody", "c_c"), ("-", None)):
        with pytest.raises(UsageError):
            customers.add(name, database)
    for database in ("select", "user", "current_date", "c-1", "c_1`", "C_1", "c_1\n", "c_\u0661", "c" * 63 + "_"):
        with pytest.raises(UsageError, match="a database cannot be named"):
            customers.add("ci", database)
    customers.remove("acme")
    with pytest.raises(UsageError, match="was used by a customer"):
        customers.add("acme", "c_a")
    assert customers.add("acme").database.startswith("c_")


@given(some.lists(some.tuples(some.sampled_from("ab"), some.sampled_from(DAYS), some.sampled_from(DAYS)), max_size=6))
def test_the_last_row_that_covers_a_day_says_who_owns_the_exam(drawn: list[tuple[str, Any, Any]]) -> None:
    rows = [
        {"exam_id": "x", "customer": owner, "valid_from": begin, "valid_to": end}
        for owner, begin, end in drawn
        if begin is None or end is None or begin < end
    ]
    periods = fold(rows)
    refuse_overlaps(periods)
    for day in ("0001-01-01", *DAYS[1:], "9999-01-01"):
        covering = [row for row in rows if (row["valid_from"] or "") <= str(day) < (row["valid_to"] or "9999-99")]
        owners = {period.customer for period in periods if period.begin <= str(day) < period.end}
        assert owners == ({covering[-1]["customer"]} if covering else set())


# Pseudonyms


@pytest.mark.parametrize("key", [b"k" * 32, b"", bytes(range(64))])
def test_two_pads_give_the_hmac_of_a_key(key: bytes) -> None:
    assert pseudonym(pads(key), "attempt") == hmac.new(key, b"attempt", hashlib.sha256).hexdigest()


def test_an_attempt_has_a_pseudonym_per_customer_and_one_of_nobody(customers: Customers) -> None:
    assert len(customers.pseudonyms(["a", "b"])) == 2 * len({"c_a", "c_b", "nobody"})


# Logins


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Server]:
    """What answers for a password file."""
    with Server(0, tmp_path / "passwords", tmp_path / "log") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def bind(server: Server, name: str, password: str) -> int:
    """The result code of a bind; -1 where the server hangs up."""

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        return bytes([tag, size] if size < 128 else [tag, 0x82, size >> 8, size & 0xFF]) + content

    body = element(2, b"\3") + element(4, name.encode()) + element(0x80, password.encode())
    with socket.create_connection(server.server_address, timeout=10) as connection:  # type: ignore[arg-type]
        connection.sendall(element(0x30, element(2, b"\1") + element(0x60, body)))
        answer = connection.recv(100)
    return answer[9] if answer else -1


def test_a_login_is_accepted_by_its_password_alone(directory: Server) -> None:
    password = logins.add(directory.passwords, "alice")
    assert bind(directory, DN.format("alice"), password) == 0
    for name, secret in (
        (DN.format("alice"), "wrong"),
        (DN.format("alice"), ""),
        (DN.format("bob"), password),
        (DN.format("*"), password),
        ("alice", password),
        ("", ""),
        (DN.format("alice") + ",ou=others", password),
    ):
        assert bind(directory, name, secret) == 49
    logins.remove(directory.passwords, "alice")
    assert bind(directory, DN.format("alice"), password) == 49


def test_every_bind_is_a_line_of_json_without_the_password(directory: Server) -> None:
    password = logins.add(directory.passwords, "alice")
    bind(directory, DN.format("alice"), password)
    bind(directory, DN.format("mallory\n{}"), "guess")
    lines = [json.loads(line) for line in directory.log.read_text().splitlines()]
    assert [(line["user_name"], line["outcome"]) for line in lines] == [
        ("alice", "logged in"),
        ("mallory\n{}", "login refused"),
    ]
    assert password not in directory.log.read_text() and "guess" not in directory.log.read_text()


@pytest.mark.parametrize("message", [b"GET / HTTP/1.0\r\n\r\n", b"\x30\x84\x7f\xff\xff\xff", b"\x30\x02\x02", b"\0"])
def test_what_is_no_ldap_is_hung_up_on(directory: Server, message: bytes) -> None:
    with socket.create_connection(directory.server_address, timeout=10) as connection:  # type: ignore[arg-type]
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""


def test_the_password_file_holds_no_password_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    password = logins.add(path, "alice")
    assert password not in path.read_text() and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert logins.add(path, "alice") != password and logins.users(path) == {"alice"}


@pytest.mark.parametrize("name", ["", "Alice", "a,b", "a:b", "*", "-a", "a\nb"])
def test_a_name_that_a_directory_could_misread_is_no_login(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be named"):
        logins.add(tmp_path / "passwords", name)


# The door


def test_a_customer_that_analysts_name_is_a_database_and_no_path_or_statement(tmp_path: Path) -> None:
    given = load(home=tmp_path).model_copy(update={"webhdfs": ""})
    assert door.customer(given, "c_a").database == "c_a"
    for name in ("c_a; SET x", "../c_a", "C_A", "c_a\n", ""):
        with pytest.raises(UsageError, match="cannot be named"):
            door.customer(given, name)


class Administrator:
    """A session at the door, where there is no role yet."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def query(self, statement: str) -> Result:
        self.sent.append(statement)
        return Result()


def test_opening_the_door_gives_each_customer_the_login_that_a_killed_command_did_not(
    customers: Customers, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, given = Administrator(), load(home=tmp_path)
    monkeypatch.setattr(door, "Hdfs", lambda _: folder)
    monkeypatch.setattr(door, "administrator", lambda _: contextlib.nullcontext(session))
    door.grant_all(given)
    assert logins.users(door.password_file(given)) == {customer.database for customer in customers.current()}
    assert {"GRANT ROLE c_a TO USER `c_a`", "GRANT ROLE c_b TO USER `c_b`"} <= set(session.sent)


def test_an_exam_that_is_named_with_quotes_stays_in_those_of_the_attempt() -> None:
    exam = "it's {x} \\ `a`\n"
    statements = [attempt.statement for attempt in attempts("c_a", "c_b", "c_b", exam)]
    assert exam not in "".join(statements) and sum("it\\u0027s" in statement for statement in statements) > 3


# Who queried what


def test_each_line_of_the_log_is_a_row_of_ops_queries_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, given = Folder(), load(home=tmp_path)
    monkeypatch.setattr(queries, "Hdfs", lambda _: folder)
    assert queries.collect(given) == []
    log = tmp_path / "logs" / logins.AUDIT
    log.parent.mkdir()
    log.write_text('{"user_name": "alice"}\n{"user_name": "bo')
    assert queries.collect(given) == [{"user_name": "alice"}]
    assert queries.collect(given) == []
    with log.open("a") as file:
        file.write('lt"}\n{"user_name": "cog"}\n')
    assert queries.collect(given) == [{"user_name": "bolt"}, {"user_name": "cog"}]
    log.write_text('{"user_name": "in a new log"}\n')
    queries.collect(given)
    folder.files[*queries.TABLE, "copy.json"] = []
    with log.open("ab") as file:
        file.write(b'{"user_name": "cut{"user_name": "dot"}\n7\n{"user_name": "eve \xff"}\n{"user_name": "fox"}\n')
    assert [row["outcome"] for row in queries.collect(given)[:3]] == ["unreadable"] * 3
    assert queries.collect(given) == []
    rows = [row["user_name"] for path in sorted(folder.files) for row in folder.files[path]]
    assert sorted(filter(None, rows)) == ["alice", "bolt", "cog", "fox", "in a new log"]
