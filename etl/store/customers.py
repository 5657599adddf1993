"""The customers, which exams they own and when, and the keys of their pseudonyms: rows of files on HDFS.

Rows are only added. A change or an assignment takes its number by a rename that fails where the number is taken, so
that two commands never check against the same state.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from etl.errors import UsageError, WarehouseError
from etl.servers.hdfs import Hdfs
from etl.store.ledger import now

CHANGES, OWNERS, KEYS = ("ops", "customers_v1"), ("ops", "exam_owners_v1"), ("ops", "pseudonym_keys_v1")
PERIODS = ("customers", "exam_periods_v1")
PERIODS_FILE = "periods.json"
NOBODY = "nobody"  # owns what no customer owns
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
DATABASE = re.compile(r"[a-z][a-z0-9_]{0,62}")
RESERVED = {"ops", "raw", "flat", "marts", "candidate", "staging", "customers", "reports", "default", "sys"}
RESERVED |= {"information_schema", "admin", "public", "all", "none", NOBODY}
FIRST_DAY, NO_DAY = "", "9999-99-99"  # in place of an open begin and end: before and behind every ISO date
BLOCK_BYTES = 64  # of SHA-256, to which HMAC pads a key


@dataclass(frozen=True)
class Customer:
    """A customer: the name that staff use, and the database and role that its readers use."""

    name: str
    database: str


@dataclass(frozen=True)
class Period:
    """An exam and its owner from one UTC day until another, which is excluded; None where it is open."""

    exam_id: str
    customer: str
    valid_from: str | None = None
    valid_to: str | None = None

    @property
    def begin(self) -> str:
        """The first day, as a text that sorts."""
        return self.valid_from or FIRST_DAY

    @property
    def end(self) -> str:
        """The day after the last, as a text that sorts."""
        return self.valid_to or NO_DAY

    def __str__(self) -> str:
        return f"{self.exam_id} of {self.customer} from {self.valid_from or 'ever'} to {self.valid_to or 'ever'}"


class Customers:
    """The customers of one warehouse."""

    def __init__(self, hdfs: Hdfs) -> None:
        self._hdfs = hdfs

    def current(self) -> list[Customer]:
        """The customers that were added and not removed, by name; one listing of HDFS where there never was any."""
        last = {row["customer"]: row for row in self._rows(CHANGES)}
        return [Customer(name, last[name]["database_name"]) for name in sorted(last) if not last[name]["is_removed"]]

    def removed(self) -> list[Customer]:
        """The customers that were removed, whose databases no other customer ever has."""
        return [Customer(row["customer"], row["database_name"]) for row in self._rows(CHANGES) if row["is_removed"]]

    def get(self, name: str) -> Customer:
        """A customer by name. Raises UsageError where there is none."""
        customers = {customer.name: customer for customer in self.current()}
        if name not in customers:
            raise UsageError(f"there is no customer {name}", "see ./warehouse customers list")
        return customers[name]

    def add(self, name: str, database: str | None = None, taken: Collection[str] = ()) -> Customer:
        """Add a customer, with an opaque database where none is chosen; its key is generated.

        `taken` are the databases that exist.

        Raises UsageError where a name cannot be used or is taken: a database also by a customer that was removed.
        """
        if not NAME.fullmatch(name) or name.lower() in RESERVED:
            raise UsageError(f"a customer cannot be named {name!r}", "use a letter, then letters, digits and _.-")
        added = Customer(name, database or f"c_{secrets.token_hex(6)}")
        if not DATABASE.fullmatch(added.database) or added.database in {*RESERVED, *taken}:
            raise UsageError(f"a database cannot be named {database!r}", "use a letter, then a-z, digits and _")

        def check() -> None:
            if any(customer.name == name for customer in self.current()):
                raise UsageError(f"there is a customer {name} already", "see ./warehouse customers list")
            if any(row["database_name"] == added.database for row in self._rows(CHANGES)):
                raise UsageError(f"the database {added.database} was used by a customer", "choose another one")

        check()
        for owner in (NOBODY, added.database):
            self._hdfs.put_rows([{"database_name": owner, **pads(secrets.token_bytes(32))}], *KEYS, f"{owner}.json")
        self._append_change(added, False, check)
        return added

    def remove(self, name: str) -> Customer:
        """Remove a customer and its key; its attempts belong to nobody from the next release on."""
        removed = self.get(name)
        self._append_change(removed, True, lambda: None)
        self._hdfs.remove(*KEYS, f"{removed.database}.json")
        return removed

    def _append_change(self, customer: Customer, is_removed: bool, check: Callable[[], None]) -> None:
        row = {"customer": customer.name, "database_name": customer.database, "is_removed": is_removed}
        while True:
            check()
            number = len(self._files(CHANGES)) + 1
            change = {"change_number": number, **row, "changed_at": now()}
            if self._hdfs.put_rows([change], *CHANGES, f"change-{number:012d}.json"):
                return

    def assign(self, periods: Sequence[Period], is_transfer: bool = False) -> None:
        """Assign exams to customers or, by a transfer, to nobody.

        Raises UsageError for a period that ends before it begins or has no known customer, and, unless it is a
        transfer, for one that overlaps another.
        """
        names = {customer.name for customer in self.current()} | ({NOBODY} if is_transfer else set())
        for period in periods:
            if period.customer not in names:
                raise UsageError(f"there is no customer {period.customer}", "see ./warehouse customers list")
            if period.begin >= period.end:
                raise UsageError(f"{period} ends before it begins", "correct the days; valid_to is excluded")
        refuse_overlaps(periods)
        while True:
            rows = self._rows(OWNERS)
            if not is_transfer:
                refuse_overlaps([*fold(rows), *periods])
            number = len(self._files(OWNERS)) + 1
            about = {"assignment_number": number, "is_transfer": is_transfer, "assigned_at": now()}
            added = [asdict(period) | about for period in periods]
            if self._hdfs.put_rows(added, *OWNERS, f"assignment-{number:012d}.json"):
                return

    def periods(self) -> list[Period]:
        """Who owns which exam when, with the databases of the customers; without what customers that are gone owned."""
        databases = {customer.name: customer.database for customer in self.current()}
        periods = fold(self._rows(OWNERS)) if databases else []
        return [
            Period(period.exam_id, databases[period.customer], period.valid_from, period.valid_to)
            for period in periods
            if period.customer in databases
        ]

    def released(self, release: int) -> list[Period] | None:
        """The periods that a release was built from; None where it has no tables of customers."""
        try:
            return [Period(**row) for row in self._hdfs.rows(*PERIODS, f"release={release}", PERIODS_FILE)]
        except FileNotFoundError:
            return None

    def write_released(self, release: int, periods: Iterable[Period]) -> None:
        """Put the periods of a release into its partition."""
        self._hdfs.put_rows([asdict(period) for period in periods], *PERIODS, f"release={release}", PERIODS_FILE)

    def pseudonyms(self, attempts: Iterable[str]) -> set[str]:
        """What tables of customers, and of nobody, may hold in place of these ids."""
        ids = list(attempts)
        return {pseudonym(key, attempt) for key in self._rows(KEYS) for attempt in ids}

    def _rows(self, folder: tuple[str, ...]) -> list[dict[str, Any]]:
        """The rows of all files of a folder in their order."""
        return [row for name in self._files(folder) for row in self._hdfs.rows(*folder, name)]

    def _files(self, folder: tuple[str, ...]) -> list[str]:
        return [name for name in self._hdfs.names(*folder) if not name.startswith(".")]  # no drafts


def pads(key: bytes) -> dict[str, str]:
    """The two blocks that HMAC-SHA256 derives from a key, in hexadecimal."""
    block = key.ljust(BLOCK_BYTES, b"\0")
    return {
        name: bytes(byte ^ mask for byte in block).hex() for name, mask in (("inner_pad", 0x36), ("outer_pad", 0x5C))
    }


def pseudonym(key: Mapping[str, str], attempt: str) -> str:
    """HMAC-SHA256 of an id by the pads of a key, in hexadecimal, as customers.attempt_owners has it."""
    inner = hashlib.sha256(bytes.fromhex(key["inner_pad"]) + attempt.encode()).digest()
    return hashlib.sha256(bytes.fromhex(key["outer_pad"]) + inner).hexdigest()


def fold(rows: Iterable[Mapping[str, Any]]) -> list[Period]:
    """The periods that rows of ops.exam_owners come to: a later row takes its days from earlier ones."""
    by_exam: dict[str, list[Period]] = {}
    for row in rows:
        added = Period(row["exam_id"], row["customer"], row.get("valid_from"), row.get("valid_to"))
        kept = [rest for period in by_exam.get(added.exam_id, []) for rest in _without(period, added)]
        by_exam[added.exam_id] = [*kept, added]
    periods = [period for periods in by_exam.values() for period in periods if period.customer != NOBODY]
    return sorted(periods, key=lambda period: (period.exam_id, period.begin))


def _without(period: Period, other: Period) -> list[Period]:
    """What is left of a period without the days of another."""
    if other.end <= period.begin or period.end <= other.begin:
        return [period]
    left = []
    if period.begin < other.begin:
        left.append(Period(period.exam_id, period.customer, period.valid_from, other.valid_from))
    if other.end < period.end:
        left.append(Period(period.exam_id, period.customer, other.valid_to, period.valid_to))
    return left


def shortened(periods: Iterable[Period], first_days: Mapping[str, str]) -> list[Period]:
    """The periods without the days before the first that their customers keep, which is given by database."""
    kept = [(period, max(period.begin, first_days.get(period.customer, FIRST_DAY))) for period in periods]
    return [replace(period, valid_from=begin or None) for period, begin in kept if begin < period.end]


def refuse_overlaps(periods: Iterable[Period]) -> None:
    """Raise UsageError where two periods of an exam overlap, naming both."""
    last: dict[str, Period] = {}
    for period in sorted(periods, key=lambda period: (period.exam_id, period.begin)):
        before = last.get(period.exam_id)
        if before is not None and period.begin < before.end:
            raise UsageError(f"the exam {period} overlaps {before}", "correct the days, or transfer it with --transfer")
        last[period.exam_id] = period


def refuse_missing_keys(hdfs: Hdfs, customers: Iterable[Customer]) -> None:
    """Raise WarehouseError where a key is lost: rows would be missing without it."""
    there = set(hdfs.names(*KEYS))
    for name in (NOBODY, *(customer.database for customer in customers)):
        if f"{name}.json" not in there:
            raise WarehouseError(
                f"the key of the pseudonyms of {name} is lost", "restore ops/pseudonym_keys_v1 from a backup"
            )
