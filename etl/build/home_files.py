"""Overwrites ids in the pages, logs and scratch files of a home, in place and at the same length.

A server continues to write to its log, and a page keeps its form.
"""

from __future__ import annotations

import base64
import html
import json
import mmap
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from etl.errors import WarehouseError
from etl.settings import Settings

FOLDERS = ("reports", "customers", "logs", "conditions", "tmp", "superset")  # of a home; data/ is the servers'
PACKAGES = "venv"  # in one of them


def mask(settings: Settings, ids: Iterable[str]) -> int:
    """Overwrite these ids wherever files of the home hold them; the number of files.

    Raises WarehouseError for a file that cannot be written.
    """
    pattern = pattern_of(ids)
    return sum(_mask(path, pattern) for folder in FOLDERS for path in _files(settings.home / folder))


def masked(content: bytes, pattern: re.Pattern[bytes]) -> bytes:
    """Some bytes with what a pattern matches overwritten."""
    return pattern.sub(lambda match: b"x" * len(match[0]), content)


def pattern_of(ids: Iterable[str]) -> re.Pattern[bytes]:
    """What matches these ids in every form in which a file may write them."""
    forms = {form for text in ids for form in _forms(text)}
    return re.compile(b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and PACKAGES not in path.relative_to(folder).parts:
            yield path


def _forms(text: str) -> set[bytes]:
    """How pages, logs and scratch files may write an id."""
    forms = {text, html.escape(text), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], quote(text)}
    return {form.encode() for form in forms} | {base64.b64encode(text.encode())}


def _mask(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Whether a file held one; it holds none any more."""
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                places = [match.span() for match in pattern.finditer(view)]
        if places:
            with path.open("r+b") as file:
                for start, end in places:
                    file.seek(start)
                    file.write(b"x" * (end - start))
        return bool(places)
    except FileNotFoundError:
        return False  # a server has removed it
    except (OSError, ValueError) as error:
        raise WarehouseError(
            f"{path} names an erased attempt and cannot be written: {error}", "run it again"
        ) from error
