"""A client of the HiveServer2 protocol: statements in, rows or an error in one line out."""

from __future__ import annotations

import contextlib
import re
import ssl
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from etl.errors import ServerError, WarehouseError
from etl.servers.sql_errors import explained, is_lost
from etl.settings import CUSTOMERS, Settings

if TYPE_CHECKING:
    from etl.servers.hive_session import Watch

# What PyHive and thrift raise, beside thrift's own errors, when an answer breaks off or is none.
GONE = (OSError, EOFError, struct.error, AssertionError, AttributeError, TypeError)
CAUSE = re.compile(r"(?:[\w$.]+(?:Exception|Error): )+")
HUNG_UP, TOO_LONG = 4, 6  # of thrift's TTransportException: what another protocol looks like


STOPPED = "stopped SparkContext"  # what Spark says to every statement once its own threads ran out of memory


class StatementError(WarehouseError):
    """A statement that the server refused or could not finish."""


@dataclass
class Result:
    """The rows of a query: names and types of the columns (such as `BIGINT`, `DECIMAL(10,2)`) and one tuple a row."""

    columns: list[str] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    def dictionaries(self) -> list[dict[str, Any]]:
        """One dictionary a row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Query(Protocol):
    """Runs one statement."""

    def __call__(self, statement: str, /) -> Result: ...


class Hive:
    """An open session on the engine of the settings, which speaks the HiveServer2 protocol; a context manager."""

    def __init__(self, settings: Settings, watch: Watch | None = None) -> None:
        """Open it; `watch` is called while a statement runs, with its seconds and the share that is done if known.

        Raises ServerError when no server answers, or it refuses the session.
        """
        from pyhive import hive
        from thrift.Thrift import TException

        from etl.servers.hive_session import Connection

        self._watch = watch
        self.address = f"{settings.engine} at {settings.sql_server}"
        try:
            self._connection = Connection(settings)
        except (*GONE, TException) as error:
            raise _not_opened(settings, self.address, error) from error
        except hive.Error as error:
            raise ServerError(
                f"{self.address} refused the session: {reduced(error)}", "see ./warehouse status"
            ) from error

    def __enter__(self) -> Hive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the session; a server that is gone is no error here."""
        with contextlib.suppress(Exception):
            self._connection.close()

    @property
    def is_open(self) -> bool:
        """Whether it can run another statement: one that was cancelled has ended the session."""
        return self._connection.socket.handle is not None

    def query(self, statement: str) -> Result:
        """Run one statement and fetch all of its rows; raises as `blocks`."""
        result = Result()
        for block in self.blocks(statement):
            result.columns, result.types = block.columns, block.types
            result.rows += block.rows
        return result

    def tables(self, database: str) -> list[str]:
        """The names of its tables and views, without the database."""
        rows = self.query(f"SHOW TABLES IN {database}").rows
        return [row[len(row) // 2] for row in rows]  # HiveServer2 gives the name alone, Spark between two others

    def blocks(self, statement: str, size: int = 1000) -> Iterator[Result]:
        """Run one statement and fetch its rows by blocks of at most `size`; the first comes when it has run.

        Raises StatementError with the server's cause in one line, ServerError when the server, or one that it needs,
        goes away; the statement is never sent twice. An interrupt or a deadline cancels the statement on the server
        and ends the session.
        """
        from pyhive import hive
        from thrift.Thrift import TException

        cursor = self._connection.cursor(arraysize=size)
        cursor.watch = self._watch
        try:
            cursor.execute(statement)
            names = [column[0].rpartition(".")[2] for column in cursor.description or []]
            types = [_type(column) for column in cursor.description or []]
            yield Result(names, rows := cursor.fetchmany(size) if names else [], types)
            while len(rows) == size:
                yield Result(names, rows := cursor.fetchmany(size), types)
        except hive.Error as error:
            raise self._failed(statement, error) from error
        except (ValueError, ArithmeticError) as error:
            raise StatementError(
                f"{self.address} sent a value of `{_short(statement)}` that Python cannot hold: {reduced(error)}",
                "CAST it AS STRING",
            ) from error
        except (*GONE, TException) as error:
            raise ServerError(
                f"{self.address} disconnected during `{_short(statement)}`, whose outcome is unknown: {reduced(error)}",
                "see ./warehouse status, then run it again",
            ) from error
        finally:
            with contextlib.suppress(Exception):  # the session may be gone, and what failed was raised already
                cursor.close()

    def _failed(self, statement: str, error: BaseException) -> WarehouseError:
        """What a server's error about a statement is raised as."""
        text = message(error)
        if STOPPED in text:
            return ServerError(
                f"{self.address} has stopped, though its process lives: a statement took its memory",
                "run ./warehouse down, then ./warehouse up",
            )
        if is_lost(text):
            return ServerError(
                f"{self.address} lost a server that it needs during `{_short(statement)}`: {reduced(error)}",
                "see ./warehouse status, then run it again",
            )
        explanation = explained(text, statement)
        tried = f"{self.address} could not run `{_short(statement)}`"
        return StatementError(f"{tried}: {explanation.cause}", explanation.step, explanation.excerpt)


def _not_opened(settings: Settings, address: str, error: Exception) -> ServerError:
    """What an error of the socket or of the login means, and which settings it is about."""
    cause = reduced(error)
    if isinstance(error, ssl.SSLError):
        step = "check hive_tls_ca and hive_tls_verify, and whether the server speaks TLS"
        return ServerError(f"no encrypted session with {address}: {cause}", step)
    if login := re.match(r"Bad status: [34] \(b?['\"]?(.*?)['\"]?\)$|Could not start SASL: (.*)", cause):
        step = {
            "LDAP": "check hive_user, the password and hive_auth",
            "KERBEROS": "run klist, and kinit if there is no ticket; check hive_kerberos_service and hive_auth",
        }.get(settings.hive_auth, "set hive_auth to what the server requires")
        who = "" if settings.hive_auth == "KERBEROS" else f" of {settings.hive_user}"
        return ServerError(f"{address} refused the login{who} by {settings.hive_auth}: {login[1] or login[2]}", step)
    start = (
        "./warehouse up --customers" if settings.engine == CUSTOMERS else f"./warehouse up --engine {settings.engine}"
    )
    if isinstance(error, EOFError) or getattr(error, "type", None) in (HUNG_UP, TOO_LONG):
        step = f"check hive_auth and hive_tls, or start it with {start}"
        return ServerError(f"cannot connect to {address}: {cause}", step)
    name = {"hive": "HIVESERVER2", CUSTOMERS: "CUSTOMERS_DOOR"}.get(settings.engine, "SPARK_THRIFT")
    return ServerError(
        f"cannot connect to {address}: {cause}",
        f"start it with {start} or set WAREHOUSE_{name}",
    )


def _type(column: Sequence[Any]) -> str:
    """The type of a described column, such as BIGINT or DECIMAL(10,2)."""
    name, precision, scale = column[1].removesuffix("_TYPE"), column[4], column[5]
    return f"{name}({precision},{scale})" if name == "DECIMAL" and precision else name


def _short(statement: str) -> str:
    text = " ".join(statement.split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def message(error: BaseException | str) -> str:
    """The whole text of an error, as the server sent it."""
    first = error.args[0] if isinstance(error, BaseException) and error.args else error
    first = getattr(error, "strerror", None) or first  # an OSError begins with its number
    return str(
        getattr(getattr(first, "status", None), "errorMessage", None) or getattr(first, "message", None) or first
    )


def reduced(error: BaseException | str) -> str:
    """The cause in a server's error, which may be a whole Java trace, in one line of at most 400 characters."""
    if getattr(error, "message", "") == "unexpected exception":  # so thrift wraps what its socket raised
        error = getattr(error, "inner", None) or error
    text = message(error)
    head = re.split(r"\n\s*(?:at |== SQL ==|;|'[A-Z])", text, maxsplit=1)[0]  # a trace, a query or its plan follows
    line = CAUSE.sub("", " ".join(head.split())[:2000]).removeprefix("Error running query: ")
    line = re.sub(r"^(\[\w+(?:\.\w+)*\]) \1", r"\1", line).strip() or "no cause given"
    return line if len(line) <= 400 else f"{line[:399]}…"
