"""Which place gives a setting (flag, variable, file or local stack), and errors about settings that name the place."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from etl.errors import UsageError

PREFIX = "WAREHOUSE_"


def near(name: str, names: Iterable[str], instead: str = "docs/settings.md lists them") -> str:
    """The next step after a name that does not exist: `did you mean ...?`, or `instead` where no name is like it."""
    matches = difflib.get_close_matches(name, list(names), 1)
    return f"did you mean {matches[0]}?" if matches else instead


def origin(settings: type[BaseSettings], name: str, flags: Iterable[str]) -> str:
    """Which place gives a setting: its flag, its variable, the path of a file, or else the running local stack."""
    variable = f"{PREFIX}{name.upper()}"
    if name in flags:
        return f"--set {name}"
    if variable in {key.upper() for key in os.environ}:
        return variable
    for path in reversed(_files(settings)):
        if path.exists() and name in tomllib.loads(path.read_text(encoding="utf-8")):
            return str(path)
    return "the local stack"


def _files(settings: type[BaseSettings]) -> list[Path]:
    return [Path(str(path)) for path in settings.model_config.get("toml_file") or ()]  # type: ignore[union-attr]


def refuse_unknown_variables(names: Sequence[str]) -> None:
    """Raise UsageError for a WAREHOUSE_ variable that names no setting."""
    for variable in map(str.upper, os.environ):
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name not in names:
            raise UsageError(f"there is no setting {name}, which {variable} gives", near(name, names))


def unreadable(settings: type[BaseSettings], message: str, flags: Iterable[str]) -> str:
    """The flag, variable or file that cannot be parsed."""
    for path in _files(settings):
        try:
            if path.exists():
                tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return str(path)
    name = re.search(r'field "(\w+)"', message)
    return origin(settings, name[1], flags) if name else "the WAREHOUSE_ variables"


def refusal(settings: type[BaseSettings], error: ValidationError, flags: Iterable[str]) -> UsageError:
    """The first fault in words; the value is shown where it cannot be a secret."""
    first = error.errors(include_url=False)[0]
    where = [str(part) for part in first["loc"]]
    place = origin(settings, where[0], flags)
    if where[0] not in settings.model_fields:
        return UsageError(f"there is no setting {where[0]}, which {place} gives", near(where[0], settings.model_fields))
    is_secret = SecretStr in get_args(settings.model_fields[where[0]].annotation)
    value = "used" if is_secret else repr(first["input"])
    return UsageError(f"setting {'.'.join(where)} cannot be {value}: {first['msg']}", f"correct it in {place}")
