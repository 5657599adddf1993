"""The tree of errors. A message names the action, its object and the next step, in one line.

WarehouseError              exit 1   a step failed
├── UsageError              exit 2   the command line, a settings value or a SQL file is wrong
├── ServerError             exit 1   a server did not answer, or answered with an error
│   └── GoneError           exit 1   a file or folder is not on HDFS (a FileNotFoundError as well)
├── BusyError               exit 1   another process holds the lock
└── ExpectationError        exit 3   expectations failed, or data is missing
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_EXPECTATIONS = 0, 1, 2, 3


class WarehouseError(Exception):
    """A command failed. `step` is what to do next and is printed after the message, `excerpt` below both:
    the lines of a statement that show where it is wrong.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, step: str = "", excerpt: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.step = step
        self.excerpt = excerpt

    def __str__(self) -> str:
        text = " ".join(super().__str__().split())
        return f"{text}; {self.step}" if self.step else text


class UsageError(WarehouseError):
    """What a person typed or wrote cannot be used."""

    exit_code = EXIT_USAGE


class ServerError(WarehouseError):
    """A server did not answer, or answered with an error."""


class GoneError(ServerError, FileNotFoundError):
    """A file or folder is not on HDFS; where one was there, another command has removed it."""


class BusyError(WarehouseError):
    """Another process holds the lock."""


class ExpectationError(WarehouseError):
    """The data does not meet the expectations, or is incomplete."""

    exit_code = EXIT_EXPECTATIONS
