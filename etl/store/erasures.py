"""Erasures: what was requested and what is done, as rows of ops.erasures; the ids themselves only while it runs.

A request is a file of keyed hashes on HDFS, and a file of the ids in the home that made it, which is removed when the
erasure is complete. The key stays in the home: it recognizes a message that is published again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from etl.errors import UsageError, WarehouseError
from etl.servers.hdfs import Hdfs, rows_of
from etl.settings import Settings
from etl.store import contract, ledger
from etl.store.erased_attempts import Erased, digest

TABLE = ("ops", "erasures_v1")
REQUESTED, COMPLETED, EXPIRED = "requested", "completed", "expired"
CUSTOMER = "customers."  # begins what stands for a customer in place of a table
KEY_BYTES = 32
KEY_ID = "_key.json"  # beside the rows: the id of the one key; engines ignore names that begin with an underscore


@dataclass(frozen=True)
class Erasure:
    """An erasure that is not complete: the ids of the attempts, and why they are erased."""

    erasure_id: str
    attempts: Sequence[str]
    reason: str


def request(settings: Settings, attempts: Sequence[str], reason: str) -> Erasure:
    """Record in the home what is to be erased; `publish_requests` makes it known to all loaders."""
    erasure = Erasure(ledger.stamp("e"), list(dict.fromkeys(attempts)), reason)
    folder = _pending(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(folder / f"{erasure.erasure_id}.json", msgspec.json.encode(erasure))
    return erasure


def is_pending(settings: Settings) -> bool:
    """Whether this home has begun an erasure and not completed it."""
    return any(_pending(settings).glob("e*.json"))


def pending(settings: Settings) -> list[Erasure]:
    """The erasures that this home has begun and not completed, oldest first; the caller holds their lock."""
    folder = _pending(settings)
    for draft in folder.glob(".e*"):  # of a run that was killed while it wrote
        draft.unlink()
    contents = {path: path.read_bytes().strip() for path in sorted(folder.glob("e*.json"))}
    for path, content in contents.items():
        if not content:  # of a run that was killed while it forgot the ids
            path.unlink()
    return [msgspec.json.decode(content, type=Erasure) for content in contents.values() if content]


def publish_requests(settings: Settings, hdfs: Hdfs, erasures: Sequence[Erasure]) -> None:
    """Write the hashes to HDFS: no loader that starts from now on lands a message of these attempts.

    The first request makes the key. Raises WarehouseError as `read`, also where another home made one first.
    """
    path = _key_file(settings)
    if read(settings, hdfs) is None and _key(path) is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_private(path, secrets.token_bytes(KEY_BYTES))
    key_id = digest(path.read_bytes(), "")
    hdfs.put_rows([{"key_id": key_id}], *TABLE, KEY_ID)
    _refuse_another_key(path, hdfs.rows(*TABLE, KEY_ID), key_id)
    for erasure in erasures:
        hdfs.put_rows(_rows(settings, erasure, REQUESTED), *TABLE, f"{erasure.erasure_id}.json")


def complete(settings: Settings, hdfs: Hdfs, erasure: Erasure) -> None:
    """Record that nothing is left of the attempts, and forget their ids."""
    hdfs.put_rows(_rows(settings, erasure, COMPLETED), *TABLE, f"{erasure.erasure_id}.{COMPLETED}.json")
    path = _pending(settings) / f"{erasure.erasure_id}.json"
    with contextlib.suppress(FileNotFoundError):
        with path.open("r+b", buffering=0) as file:
            file.write(b" " * path.stat().st_size)
            os.fsync(file.fileno())
        path.unlink()


def read(settings: Settings, hdfs: Hdfs) -> Erased | None:
    """The attempts whose messages are not landed, None where nothing was ever erased.

    Raises WarehouseError where this home lacks the key of the hashes.
    """
    names = [name for name in hdfs.names(*TABLE) if name[0] == "e" and not name.endswith(f".{COMPLETED}.json")]
    if not names:
        return None
    rows = [row for rows in rows_of(hdfs, [(*TABLE, name) for name in names]) for row in rows]
    path = _key_file(settings)
    key = _key(path) or b""
    _refuse_another_key(path, rows, digest(key, ""))
    return Erased(key, {row["attempt_hash"] for row in rows}, attempt_field())


def _refuse_another_key(path: Path, rows: Sequence[Mapping[str, Any]], key_id: str) -> None:
    if any(row["key_id"] != key_id for row in rows):
        raise WarehouseError(
            f"attempts were erased, and {path} is not the key that recognizes their messages",
            "copy erasure.key from the home that erased them, or set erasure_key_file",
        )


def record_expiry(hdfs: Hdfs, starts: Mapping[str, str]) -> None:
    """Record that raw tables lost all messages that were published before a day, or customers older attempts."""
    erasure_id = ledger.stamp("x")
    rows = [
        {"erasure_id": erasure_id, "action": EXPIRED, "table_name": table, "kept_from": day, "decided_at": ledger.now()}
        for table, day in starts.items()
    ]
    hdfs.put_rows(rows, *TABLE, f"{erasure_id}.json")


def expiries(hdfs: Hdfs) -> dict[str, str]:
    """The day, as text, from which on each raw table and each customer was last left as it is."""
    names = [name for name in hdfs.names(*TABLE) if name.startswith("x")]
    return {row["table_name"]: row["kept_from"] for name in names for row in hdfs.rows(*TABLE, name)}


def attempt_field() -> str:
    """The member of a message that holds the attempt's id, from the header of the contract.

    Raises UsageError where it does not say.
    """
    file = contract.newest()
    if name := file.header.get("Attempt"):
        return name
    raise UsageError(f"{file.path} does not say which field is the attempt's id", "add the line `-- Attempt: field`")


def _rows(settings: Settings, erasure: Erasure, action: str) -> list[dict[str, Any]]:
    key = _key_file(settings).read_bytes()
    return [
        {
            "erasure_id": erasure.erasure_id,
            "action": action,
            "attempt_hash": digest(key, attempt),
            "key_id": digest(key, ""),
            "reason": erasure.reason,
            "decided_at": ledger.now(),
        }
        for attempt in erasure.attempts
    ]


def _key_file(settings: Settings) -> Path:
    return settings.erasure_key_file or settings.home / "erasure.key"


def _key(path: Path) -> bytes | None:
    """The key, None where there is none yet. Raises WarehouseError for a file that is none."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WarehouseError(f"the key {path} cannot be read: {error.strerror}", "correct its permissions") from error
    if len(key) != KEY_BYTES:
        raise WarehouseError(f"{path} has {len(key)} bytes, which is not a key", "restore it from a backup")
    return key


def _pending(settings: Settings) -> Path:
    return settings.home / "erasures"


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its user can read; it appears whole."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
