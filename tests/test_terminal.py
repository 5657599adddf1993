"""What a person sees of work that goes on, at a real pseudo-terminal, and what a program gets instead: plain lines."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from drawing import drawn, frames, start

from etl.terminal import escaped

ESCAPE, HIDE_CURSOR, SHOW_CURSOR = "\x1b", "\x1b[?25l", "\x1b[?25h"
WORK = """
import time
from types import SimpleNamespace as Stage
from etl.terminal import progress, say, watch
with progress("build") as bar:
    for table in bar.each(["exams", "questions"], str):
        watch(7.2, 0.25)
        time.sleep(0.3)
        with progress("validate") as inner:
            inner.stages([Stage(num_completed_tasks=3, num_tasks=4), Stage(num_completed_tasks=0, num_tasks=1)])
            time.sleep(0.3)
        say(f"built {table} [bold]:warning:\\x1b[2J")
print("rows")
"""
PLAIN = "built exams [bold]:warning:\\x1b[2J\nbuilt questions [bold]:warning:\\x1b[2J\n"


@pytest.fixture(scope="module")
def work() -> tuple[int, str, str]:
    """The work, drawn."""
    return drawn(["-c", WORK])


def test_a_person_sees_what_is_at_work_and_how_far_it_is(work: tuple[int, str, str]) -> None:
    code, output, seen = work
    lines = frames(seen)
    assert (code, output) == (0, "rows\n"), "bars never get into standard output"
    assert any(re.fullmatch(r"build +━.* 0:00:0\d exams, 1 of 2 +7 s, 25%", line) for line in lines), lines
    assert any(re.fullmatch(r"build +━.* 0:00:0\d questions, 2 of 2.*", line) for line in lines), lines
    assert any(re.fullmatch(r"validate ━.* 0:00:0\d +3 of 5 tasks", line) for line in lines), lines
    assert seen.count(HIDE_CURSOR) == seen.count(SHOW_CURSOR) == 1


def test_lines_stand_above_the_bars_and_say_what_is_said_without_obeying_it(work: tuple[int, str, str]) -> None:
    _, _, seen = work
    assert [line for line in frames(seen) if line.startswith("built")] == PLAIN.splitlines()
    assert "\x1b[2J" not in seen


def test_a_program_gets_plain_lines_alone() -> None:
    running = start(["-c", WORK], subprocess.PIPE)
    output, errors = running.communicate(timeout=60)
    assert (output, errors.decode()) == (b"rows\n", PLAIN)


def test_no_color_draws_without_colours(work: tuple[int, str, str]) -> None:
    _, _, coloured = work
    _, _, seen = drawn(["-c", WORK], NO_COLOR="1")
    assert re.search(r"\x1b\[[0-9;]*m", coloured) and not re.search(r"\x1b\[[0-9;]*m", seen)
    assert "exams, 1 of 2" in seen


def test_a_dumb_terminal_gets_plain_lines() -> None:
    _, _, seen = drawn(["-c", WORK], TERM="dumb")
    assert seen.replace("\r", "") == PLAIN


def test_an_interrupt_takes_the_bar_away_and_shows_the_cursor_again() -> None:
    nowhere = "import sys; sys.stdout = open('/dev/null', 'w')"  # rows that nobody reads would fill the pipe
    words = "sys.argv[1:] = ['generate', '--attempts', '1000000']; from etl.cli import main; main()"
    began = time.monotonic()
    code, _, seen = drawn(["-c", f"{nowhere}; {words}"], interrupt_after="generate")
    assert code == 1 and time.monotonic() - began < 30
    assert frames(seen)[-1] == "warehouse: interrupted"
    assert seen.rindex(SHOW_CURSOR) > seen.rindex(HIDE_CURSOR)


def test_a_command_shows_its_bar(tmp_path: Path) -> None:
    code, output, seen = drawn(["-m", "etl", "generate", "--attempts", "20"], WAREHOUSE_HOME=str(tmp_path))
    assert code == 0 and output.count("\n") == 20
    assert frames(seen)[0].startswith("generate ━") and frames(seen)[-1] == "generated 20 synthetic messages"


SERVERS = """
import sys, time
from etl import settings
from stack import parts, processes, servers
from stack.layout import Server
from etl.terminal import say

began = time.monotonic()
def server(name, seconds):
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    return Server(name, (), sleep, lambda: time.monotonic() - began > seconds)

parts.ensure_jars = lambda say: None
servers.all_servers = lambda layout, engine, has_customers: [server("early", 0), server("late", 2)]
try:
    processes.up(settings.load(), say)
finally:
    processes.down(settings.load())
"""


def test_up_shows_which_servers_it_waits_for(tmp_path: Path) -> None:
    """With two programs in place of the servers, of which one takes its time."""
    code, _, seen = drawn(["-c", SERVERS], WAREHOUSE_HOME=str(tmp_path))
    lines = frames(seen)
    assert code == 0 and "starting early, late" in lines, lines
    assert any(re.fullmatch(r"healthy ━+[╸╺]?━+ 0:00:0\d waiting for late", line) for line in lines), lines


# On the running stack


@pytest.mark.parametrize(
    ("text", "displayed"), [("a\tb", "a\\x09b"), ("\u202eevil", "\\u202eevil"), ("Ünïcode 😀", "Ünïcode 😀")]
)
def test_control_characters_are_shown(text: str, displayed: str) -> None:
    assert escaped(text) == displayed
