"""Writes a page whole or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path


def write(path: Path, text: str) -> None:
    """The whole file or none of it: a reader never sees half a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
