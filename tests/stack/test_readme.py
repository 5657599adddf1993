"""What the README shows is what its commands print."""

from __future__ import annotations

import re
import shlex

import pytest
from commands import Run

from etl.settings import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")

CONSOLE = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))


def examples() -> list[tuple[str, str]]:
    """(command, output) of the console blocks, where there is an output."""
    pieces = re.split(r"^\$ ", CONSOLE, flags=re.MULTILINE)[1:]
    pairs = [(piece.partition("\n")[0], piece.partition("\n")[2]) for piece in pieces]
    return [(command, output) for command, output in pairs if output.strip()]


@pytest.mark.parametrize(("command", "output"), examples())
def test_shows_what_the_command_prints(command: str, output: str, run: Run, built: str) -> None:
    assert built
    program, *words = shlex.split(command)
    assert program == "./warehouse"
    assert run(*words).stdout == output
