"""What a validation reads: a release, published or about to be, whole or only what is new in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Scope:
    """The rows and files that a validation checks.

    `release` and `landing` are what the view ops.candidate shows, or ops.published where `is_published`. Only rows of
    the landings after `since` are read, all with 0. A brief validation runs critical expectations only. `recorded`
    are the files that landings and builds recorded, as {path, bytes, file_checksum}, with paths relative to
    warehouse_root. `tables` are the versioned tables of flat and marts, and of customers, that the release shows; None
    for the newest of all but those of customers.
    """

    release: int
    landing: int
    since: int = 0
    is_published: bool = False
    is_brief: bool = False
    recorded: Sequence[Mapping[str, Any]] = ()
    tables: Collection[str] | None = None
