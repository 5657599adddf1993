"""The HiveServer2 protocol by PyHive: one connection, statements that can be cancelled, errors in one line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from etl.errors import ServerError, WarehouseError
from etl.settings import Settings

# Pinned for every session, so that both engines and every user's defaults give the same rows.
SESSION = {
    "spark": {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "false"},
}
SLOWEST_POLL = 0.2
CAUSE = re.compile(r"(?:[\w$.]+(?:Exception|Error): )+")


class StatementError(WarehouseError):
    """A statement that the server refused or could not finish."""


@dataclass
class Result:
    """The rows of a query: names of the columns and one tuple a row."""

    columns: list[str] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def dictionaries(self) -> list[dict[str, Any]]:
        """One dictionary a row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Hive:
    """An open session on a server that speaks the HiveServer2 protocol; a context manager."""

    def __init__(self, settings: Settings) -> None:
        from pyhive import hive
        from thrift.transport.TTransport import TTransportException

        logging.getLogger("thrift").setLevel(logging.CRITICAL)  # what fails is raised, not also logged
        host, _, port = settings.hive_server.rpartition(":")
        self.address = settings.hive_server
        password = settings.hive_password.get_secret_value() if settings.hive_password else None
        try:
            self._connection = hive.connect(
                host=host or "127.0.0.1",
                port=int(port),
                username=settings.hive_user,
                password=password,
                auth=settings.hive_auth,
            )
        except (TTransportException, OSError, EOFError) as error:
            raise ServerError(
                f"no HiveServer2 protocol at {self.address}: {reduced(error)}",
                "start it with ./warehouse up or set WAREHOUSE_HIVE_SERVER",
            ) from error
        except hive.Error as error:
            raise ServerError(
                f"{self.address} refused the session: {reduced(error)}", "see ./warehouse status"
            ) from error
        for name, value in SESSION[settings.engine].items():
            self.query(f"SET {name}={value}")

    def __enter__(self) -> Hive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the session; a server that is gone is no error here."""
        try:
            self._connection.close()
        except Exception:
            self.address += " (gone)"

    def query(self, statement: str, watch: Callable[[float], None] | None = None) -> Result:
        """Run one statement and fetch all of its rows; `watch` is called with the seconds so far.

        Raises StatementError with the server's cause in one line, ServerError when the server goes away; the
        statement is never sent twice. An interrupt cancels the statement on the server.
        """
        from pyhive import hive
        from TCLIService.ttypes import TOperationState as State
        from thrift.Thrift import TException

        cursor = self._connection.cursor()
        began = time.monotonic()
        try:
            cursor.execute(statement, async_=True)
            pause = 0.005
            while (status := cursor.poll()).operationState in (
                State.INITIALIZED_STATE,
                State.PENDING_STATE,
                State.RUNNING_STATE,
            ):
                time.sleep(pause)
                pause = min(pause * 1.5, SLOWEST_POLL)
                if watch:
                    watch(time.monotonic() - began)
            if status.operationState != State.FINISHED_STATE:
                raise StatementError(
                    f"{self.address} could not run `{_short(statement)}`: {reduced(status.errorMessage or 'no cause')}"
                )
            if cursor.description is None:
                return Result()
            names = [column[0].rpartition(".")[2] for column in cursor.description]
            return Result(names, cursor.fetchall())
        except KeyboardInterrupt:
            cursor.cancel()
            raise
        except hive.Error as error:
            raise StatementError(f"{self.address} could not run `{_short(statement)}`: {reduced(error)}") from error
        except (TException, OSError, EOFError) as error:
            raise ServerError(
                f"{self.address} went away during `{_short(statement)}`, whose outcome is unknown: {reduced(error)}",
                "see ./warehouse status, then run it again",
            ) from error
        finally:
            _close(cursor)


def _close(cursor: Any) -> None:
    try:
        cursor.close()
    except Exception:
        return  # the session is gone, and what failed was raised already


def _short(statement: str) -> str:
    text = " ".join(statement.split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def reduced(error: BaseException | str) -> str:
    """The cause in a server's error, which may be a whole Java trace, in one line of at most 400 characters."""
    first = error.args[0] if isinstance(error, BaseException) and error.args else error
    text = str(
        getattr(getattr(first, "status", None), "errorMessage", None) or getattr(first, "message", None) or first
    )
    head = re.split(r"\n\s*(?:at |== SQL ==|;|'[A-Z])", text, maxsplit=1)[0]  # a trace, a query or its plan follows
    line = CAUSE.sub("", " ".join(head.split())).removeprefix("Error running query: ")
    line = re.sub(r"^(\[\w+(?:\.\w+)*\]) \1", r"\1", line).strip() or "no cause given"
    return line if len(line) <= 400 else f"{line[:399]}…"
