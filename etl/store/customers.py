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
from etl.servers.hdfs import Hdfs, rows_of
from etl.store.ledger import now
from etl.store.periods import NOBODY, Period, fold, refuse_overlaps

CHANGES, OWNERS, KEYS = ("ops", "customers_v1"), ("ops", "exam_owners_v1"), ("ops", "pseudonym_keys_v1")
PERIODS = ("customers", "exam_periods_v1")
PERIODS_FILE = "periods.json"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
IDENTIFIER = "[a-z][a-z0-9_]{0,62}"
# With a digit or _, which no keyword of the engines has but those that begin with current_: no statement quotes it.
DATABASE = re.compile(rf"(?!current_)(?=.*[0-9_]){IDENTIFIER}")
RESERVED = {"ops", "raw", "flat", "marts", "candidate", "staging", "customers", "reports", "default", "sys"}
RESERVED |= {"information_schema", "admin", "public", "all", "none", NOBODY}
FILE = re.compile(rf"(?:change|assignment)-([0-9]{{12}})\.json|{IDENTIFIER}\.json")  # no drafts, no copies
BLOCK_BYTES = 64  # of SHA-256, to which HMAC pads a key


@dataclass(frozen=True)
class Customer:
    """A customer: the name that staff use, and the database and role that its readers use."""

    name: str
    database: str


class Customers:
    """The customers of one warehouse."""

    def __init__(self, hdfs: Hdfs) -> None:
        self._hdfs = hdfs
        self._read: dict[tuple[str, ...], list[dict[str, Any]]] = {}  # files never change

    def current(self) -> list[Customer]:
        """The customers that were added and not removed, by name; one listing of HDFS where there never was any."""
        last = {row["customer"]: row for row in self._rows(CHANGES)}
        return [Customer(name, last[name]["database_name"]) for name in sorted(last) if not last[name]["is_removed"]]

    def removed(self) -> list[Customer]:
        """The customers that were removed, whose databases no other customer ever has."""
        return [Customer(row["customer"], row["database_name"]) for row in self._rows(CHANGES) if row["is_removed"]]

    def get(self, name: str, also_removed: bool = False) -> Customer:
        """A customer by name, with `also_removed` the last that had it. Raises UsageError where there is none."""
        customers = [*self.removed(), *self.current()] if also_removed else self.current()
        named = {customer.name: customer for customer in customers}
        if name not in named:
            raise UsageError(f"there is no customer {name}", "see ./warehouse customers list")
        return named[name]

    def add(self, name: str, database: str | None = None, taken: Collection[str] = ()) -> Customer:
        """Add a customer, with an opaque database where none is chosen; its key is generated.

        `taken` are the databases that exist.

        Raises UsageError where a name cannot be used or is taken: a database also by a customer that was removed.
        """
        if not NAME.fullmatch(name) or name.lower() in RESERVED:
            raise UsageError(f"a customer cannot be named {name!r}", "use a letter, then letters, digits and _.-")
        added = Customer(name, database or f"c_{secrets.token_hex(6)}")
        if not DATABASE.fullmatch(added.database) or added.database in {*RESERVED, *taken}:
            raise UsageError(
                f"a database cannot be named {database!r}", "use a letter, then a-z, digits and _, with a digit or _"
            )

        def refuse_taken() -> None:
            if any(customer.name == name for customer in self.current()):
                raise UsageError(f"there is a customer {name} already", "see ./warehouse customers list")
            if any(row["database_name"] == added.database for row in self._rows(CHANGES)):
                raise UsageError(f"the database {added.database} was used by a customer", "choose another one")

        refuse_taken()
        for owner in (NOBODY, added.database):
            self._hdfs.put_rows([{"database_name": owner, **pads(secrets.token_bytes(32))}], *KEYS, f"{owner}.json")
        self._change(added, False, refuse_taken)
        return added

    def remove(self, name: str) -> Customer:
        """Remove a customer and its key, or complete that.

        Its exams belong to nobody, also where another customer gets the name; its attempts from the next release on.
        """
        removed = self.get(name, also_removed=True)
        if removed in self.current():
            owned = [replace(period, customer=NOBODY) for period in fold(self._rows(OWNERS)) if period.customer == name]
            if owned:
                self.assign(owned, is_transfer=True)
            self._change(removed, True, lambda: self.get(name))
        self._hdfs.remove(*KEYS, f"{removed.database}.json")
        return removed

    def _change(self, customer: Customer, is_removed: bool, check: Callable[[], object]) -> None:
        row = {"customer": customer.name, "database_name": customer.database, "is_removed": is_removed}

        def rows(number: int) -> list[dict[str, Any]]:
            check()
            return [{"change_number": number, **row, "changed_at": now()}]

        self._append(CHANGES, "change", rows)

    def _append(self, folder: tuple[str, ...], kind: str, rows: Callable[[int], list[dict[str, Any]]]) -> None:
        """Put rows into the next file of a folder; `rows` gets its number, and raises where they no longer may come."""
        while True:
            matches = map(FILE.fullmatch, self._files(folder))
            number = max((int(match[1]) for match in matches if match and match[1]), default=0) + 1
            if self._hdfs.put_rows(rows(number), *folder, f"{kind}-{number:012d}.json"):
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

        def rows(number: int) -> list[dict[str, Any]]:
            if not is_transfer:
                refuse_overlaps([*fold(self._rows(OWNERS)), *periods])
            about = {"assignment_number": number, "is_transfer": is_transfer, "assigned_at": now()}
            return [asdict(period) | about for period in periods]

        self._append(OWNERS, "assignment", rows)

    def periods(self) -> list[Period]:
        """Who owns which exam when, with the databases of the customers; without what customers that are gone owned."""
        databases = {customer.name: customer.database for customer in self.current()}
        periods = fold(self._rows(OWNERS)) if databases else []
        return [
            replace(period, customer=databases[period.customer]) for period in periods if period.customer in databases
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
        paths = [(*folder, name) for name in self._files(folder)]
        unread = [path for path in paths if path not in self._read]
        self._read |= zip(unread, rows_of(self._hdfs, unread), strict=True)
        return [row for path in paths for row in self._read[path]]

    def _files(self, folder: tuple[str, ...]) -> list[str]:
        return [name for name in self._hdfs.names(*folder) if FILE.fullmatch(name)]


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


def refuse_missing_keys(hdfs: Hdfs, customers: Iterable[Customer]) -> None:
    """Raise WarehouseError where a key is lost: rows would be missing without it."""
    there = set(hdfs.names(*KEYS))
    for name in (NOBODY, *(customer.database for customer in customers)):
        if f"{name}.json" not in there:
            raise WarehouseError(
                f"the key of the pseudonyms of {name} is lost", "restore ops/pseudonym_keys_v1 from a backup"
            )
