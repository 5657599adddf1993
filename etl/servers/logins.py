"""The password file of the customers' door: a line `user:salt:hash` per login, readable by its owner alone.

It holds hashes by scrypt. A company's directory takes its place where the setting customers_ldap names one.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from etl.errors import UsageError

ADMIN = "customers_admin"  # grants rights at the door
AUDIT = "customers_queries.jsonl"  # the log of the door: a line per login and statement
USER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
COST, BLOCK, PARALLEL = 2**14, 8, 1  # of scrypt: 16 MB and some 50 ms for each login


def add(path: Path, user: str) -> str:
    """Add a login, or replace its password; the password, generated, which is stored nowhere.

    Raises UsageError for a name that cannot be a login.
    """
    if not USER.fullmatch(user):
        raise UsageError(f"a login cannot be named {user!r}", "use lower-case letters, digits and _.-")
    password, salt = secrets.token_urlsafe(24), secrets.token_bytes(16)
    with _changed(path) as logins:
        logins[user] = f"{salt.hex()}:{_hash(password, salt)}"
    return password


def remove(path: Path, user: str) -> None:
    """Remove a login, if it is there."""
    with _changed(path) as logins:
        logins.pop(user, None)


def is_right(path: Path, user: str, password: str) -> bool:
    """Whether the password is that of the login; as slow for a login that does not exist."""
    salt, _, expected = _read(path).get(user, f"{'0' * 32}:").partition(":")
    return hmac.compare_digest(_hash(password, bytes.fromhex(salt)), expected)


def users(path: Path) -> set[str]:
    """The logins in a file."""
    return set(_read(path))


def write_secret(path: Path, text: str) -> None:
    """Replace a file by one that no other user can read."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _hash(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK, p=PARALLEL).hex()


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {user: rest for user, _, rest in (line.partition(":") for line in lines) if rest}


@contextlib.contextmanager
def _changed(path: Path) -> Iterator[dict[str, str]]:
    """The logins, to be changed; no other command changes them meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        logins = _read(path)
        yield logins
        write_secret(path, "".join(f"{user}:{rest}\n" for user, rest in sorted(logins.items())))
