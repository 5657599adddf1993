"""The README's commands exist, and what it shows as output is what they print."""

from __future__ import annotations

import re

from etl import sqlfile
from etl.cli import app
from etl.settings import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}


def test_is_short_and_begins_with_what_to_type() -> None:
    """A stranger meets the first command within 20 lines, and the end within 150."""
    lines = README.splitlines()
    assert len(lines) <= 150
    assert "./warehouse demo" in "\n".join(lines[:20])


def test_names_only_commands_that_exist() -> None:
    named = set(re.findall(r"\./warehouse (?:--debug )?([a-z]+)", README)) - {"COMMAND"}
    assert named <= COMMANDS
    assert all(f"`{name}`" in README or name in named for name in COMMANDS)


def test_names_every_table() -> None:
    for file in sqlfile.files("[0123]_*"):
        assert f"`{file.name}`" in README, file.name


def test_names_only_files_that_exist() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (PROJECT / link).exists(), link
    for path in re.findall(r"(?:sql|etl)/[a-z0-9_/]+\.(?:sql|lock)", README):
        assert (PROJECT / path).exists() or "name_v1" in path, path
