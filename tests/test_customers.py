"""Customers without servers: whose exam it is on a day, keys of pseudonyms, the password file and its directory."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from etl.customers import queries
from etl.errors import UsageError
from etl.servers import logins
from etl.settings import load
from etl.store.customers import Customers, Period, fold, pads, pseudonym, refuse_overlaps, shortened
from stack.logins import DN, Server

DAYS = [None, *(f"2018-01-{day:02}" for day in range(1, 9))]


class Folder:
    """As much of HDFS as customers need, in memory."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def names(self, *folder: str) -> list[str]:
        return sorted(path[-1] for path in self.files if path[:-1] == folder)

    def rows(self, *path: str) -> list[dict[str, Any]]:
        return self.files[path]

    def put_rows(self, rows: list[dict[str, Any]], *path: str) -> bool:
        return self.files.setdefault(path, rows) is rows

    def remove(self, *path: str) -> None:
        self.files.pop(path, None)


@pytest.fixture
def customers() -> Customers:
    """Two customers, acme and bolt."""
    customers = Customers(Folder())  # type: ignore[arg-type]
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
    rows = [row["user_name"] for path in sorted(folder.files) for row in folder.files[path]]
    assert sorted(rows) == ["alice", "bolt", "cog", "in a new log"]
