"""Builds that take seconds, for tests that want just the tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.validate import validate


@contextlib.contextmanager
def unvalidated() -> Iterator[None]:
    """Builds in this block publish without a validation: for tests that want just the tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validate, "validate", lambda *_: validate.Validated([], Path(), 0.0))
        yield
