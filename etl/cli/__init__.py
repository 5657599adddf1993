"""The command line: one function per command, in the order of the help; errors become exit codes.

What a command needs is imported when it runs: Spark and Great Expectations take seconds to load, and Rich and pydantic
longer than the help.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from etl import errors, terminal
from etl.cli.shared import app, conf, state
from etl.errors import WarehouseError

PARTS = ("servers", "raw", "tables", "answers", "customers", "whole")
for part in PARTS:
    importlib.import_module(f"etl.cli.{part}")  # to import it is to add its commands

NAME, COMPLETION = "./warehouse", "_WAREHOUSE_COMPLETE"  # Typer derives the second from the first, but for the slash
TYPER_INTERRUPTED = 130  # Typer's exit code for Ctrl-C


def main() -> None:
    """Run the command line; every error is one line and an exit code, a trace comes only with --debug."""
    _open_streams()
    completes = COMPLETION in os.environ or any(word.endswith("-completion") for word in sys.argv[1:2])
    try:
        code = app(prog_name=NAME.rpartition("/")[2] if completes else NAME, standalone_mode=False)
        sys.stdout.flush()  # a full disk is reported here; at the exit it would print a trace
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(errors.EXIT_FAILED)
    except WarehouseError as error:
        if state["debug"]:
            traceback.print_exc()
        fail(with_ended_servers(str(error)), error.exit_code, error.excerpt)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            fail_with(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is not written yet would fail again
        fail(f"the output cannot be written: {error.strerror}", errors.EXIT_FAILED)
    except (typer.Abort, KeyboardInterrupt):
        fail("interrupted", errors.EXIT_FAILED)
    except Exception as error:
        fail_with(error)
    if code == TYPER_INTERRUPTED:
        fail("interrupted", errors.EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else errors.EXIT_OK)


def _open_streams() -> None:
    """Open what the caller left closed, as some schedulers do: else the next file would be the standard output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def fail_with(error: Exception) -> NoReturn:
    """End with the message of Typer about wrong usage, or with one line about an error that nobody expected."""
    if state["debug"]:
        traceback.print_exc()
    if not sys.argv[1:]:  # no command: Typer has the help as its message
        print(error.format_message() if hasattr(error, "format_message") else error)
        sys.exit(errors.EXIT_USAGE)
    if hasattr(error, "format_message"):
        text = " ".join(error.format_message().split()).rstrip(".")
        fail(f"{text}; see ./warehouse --help", errors.EXIT_USAGE)
    if isinstance(error, OSError) and error.filename is not None:
        fail(f"{error.filename} cannot be used: {error.strerror}; check that path", errors.EXIT_FAILED)
    kind = type(error).__name__
    fail(f"unexpected {kind}: {' '.join(str(error).split())[:300]}; see --debug", errors.EXIT_FAILED)


def with_ended_servers(message: str) -> str:
    """An error, preceded by its likely cause: servers of the home's stack that ended by themselves, and why."""
    try:
        from stack import logs

        ended = "; ".join(logs.ended(conf()))
    except Exception:  # the error to show is the one at hand
        return message
    if not ended:
        return message
    first = "" if " has ended in " in message else f"{message}; "
    return f"{first}{ended}; ./warehouse up starts it again"


def fail(message: str, code: int, excerpt: Sequence[str] = ()) -> NoReturn:
    """Print what went wrong in one line, with an excerpt below it, and exit."""
    for line in (f"warehouse: {message}", *excerpt):
        terminal.say(line)
    sys.exit(code)
