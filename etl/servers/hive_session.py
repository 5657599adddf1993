"""A PyHive connection made from the settings: TLS, login, calls that end in time, statements that can be cancelled.

PyHive alone waits forever and has no TLS on the binary transport. Here a socket of our own carries its protocol.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

import thrift_sasl
from puresasl import QOP
from pyhive import hive
from pyhive.sasl_compat import PureSASLClient
from TCLIService import TCLIService
from TCLIService.ttypes import (
    TCancelOperationReq,
    TCloseOperationReq,
    TGetResultSetMetadataReq,
    TOperationState,
    TTypeId,
)
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TException
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport, TTransportBase

from etl.errors import UsageError
from etl.settings import CUSTOMERS, Settings

# Set in every session, so that both engines give the same rows whatever a user's defaults are. The client substitutes
# variables (etl/sqlfile.py): a server would replace `${env:...}` by its own environment.
SESSION = {
    "spark": {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "false",
        "spark.sql.parser.escapedStringLiterals": "false",
        "spark.sql.variable.substitute": "false",
    },
    "hive": {
        "hive.local.time.zone": "UTC",
        "hive.default.nulls.last": "false",
        "hive.compute.query.using.stats": "false",  # Spark writes files and leaves Hive's counts as they were
        "hive.resultset.use.unique.column.names": "false",
        "hive.exec.dynamic.partition.mode": "nonstrict",
        "hive.exec.max.dynamic.partitions": "100000",
        "hive.exec.max.dynamic.partitions.pernode": "100000",
        "hive.variable.substitute": "false",
    },
    CUSTOMERS: {},  # the door sets all of it, and lets nobody change it
}
WORKING = (TOperationState.INITIALIZED_STATE, TOperationState.PENDING_STATE, TOperationState.RUNNING_STATE)
SLOWEST_POLL = 0.2
CANCEL_SECONDS = 5.0  # to wait for the answer; the server continues to cancel without a listener

Watch = Callable[[float, "float | None"], None]  # seconds so far, the share that is done where the server reports it

logging.getLogger("thrift").setLevel(logging.CRITICAL)  # what fails is raised, not also logged


class Socket(TSocket):  # type: ignore[misc]
    """A socket on which no read or write takes longer than `allow` says, encrypted where a context is given."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self._context = context

    def open(self) -> None:
        """Connect and, with a context, shake hands: the certificate must be that of the host."""
        super().open()
        if self._context is not None:
            self.handle: Any = self._context.wrap_socket(self.handle, server_hostname=self.host)

    def allow(self, seconds: float) -> None:
        """Set how long a single read or write may take."""
        self.setTimeout(max(seconds, 0.001) * 1000)


class Sasl(PureSASLClient):  # type: ignore[misc]
    """SASL in the form that thrift_sasl calls. PyHive confuses wrap and unwrap, which only `auth` tolerates."""

    def start(self, mechanism: str) -> tuple[bool, str, bytes | None]:
        """Begin; `getError` reports what went wrong, such as a missing ticket."""
        try:
            started: tuple[bool, str, bytes | None] = super().start(mechanism)
        except Exception as error:  # kerberos.GSSError: its module may not be there
            causes = [text[0] for text in error.args if isinstance(text, tuple)] or [str(error)]
            self.error = causes[-1]
            return False, mechanism, None
        return started

    def encode(self, message: bytes) -> tuple[bool, bytes]:
        """Seal a message where that was agreed on; a sealed one has its length in front."""
        sealed = self.wrap(message)
        return True, message if self.qop == QOP.AUTH else struct.pack(">I", len(sealed)) + sealed

    def decode(self, frame: bytes) -> tuple[bool, bytes]:
        """Open a sealed message, whose length stands in front."""
        return True, self.unwrap(frame[4:])


class Connection(hive.Connection):  # type: ignore[misc]
    """A session; its cursors keep the deadlines of the settings and cancel what they give up, which ends the session.

    Raises pyhive's errors, those of thrift's transport, OSError and EOFError; UsageError for settings that lack
    something.
    """

    def __init__(self, settings: Settings, configuration: Mapping[str, str] | None = None) -> None:
        """Open it; `configuration` goes to the server with the request to open the session."""
        self.settings = settings
        self.socket, transport = _transport(settings)
        self.socket.allow(settings.hive_connect_seconds)
        self.limit = settings.hive_connect_seconds  # of a statement; PyHive runs one to open the session
        # Without this prefix Spark ignores what a session is opened with.
        pinned = {f"set:hiveconf:{name}": value for name, value in SESSION[settings.engine].items()}
        session = {"username": settings.hive_user, "database": settings.hive_database}
        super().__init__(**session, configuration={**pinned, **(configuration or {})}, thrift_transport=transport)
        self.client._iprot.string_length_limit = None  # thrift ends at 16,384,000, a landed message may be longer
        self.limit = settings.hive_query_seconds

    def cursor(self, *arguments: Any, **options: Any) -> Cursor:
        """A cursor that waits no longer than it may."""
        return Cursor(self, *arguments, **options)

    def cancel(self, operation: Any) -> None:
        """Cancel a statement over a connection of its own: this one may be in the middle of an answer.

        Spark still starts the jobs of a statement that it was planning just then; to close it cancels these as well.
        """
        socket, transport = _transport(self.settings)
        socket.allow(CANCEL_SECONDS)
        with contextlib.closing(transport):
            transport.open()
            client = TCLIService.Client(TBinaryProtocol(transport))
            client.CancelOperation(TCancelOperationReq(operation))
            time.sleep(1)
            client.CloseOperation(TCloseOperationReq(operation))


class Overdue(hive.OperationalError):  # type: ignore[misc]
    """A statement that ran longer than it may; it was cancelled."""


class Cursor(hive.Cursor):  # type: ignore[misc]
    """A cursor that sends a statement once, waits for it and cancels it on the server when it stops waiting."""

    watch: Watch | None = None
    _operationHandle: Any  # PyHive's names
    _description: list[tuple[Any, ...]] | None

    def execute(self, operation: str, parameters: Any = None, **_: Any) -> None:
        """Run one statement.

        Raises OperationalError when it fails, Overdue when it takes longer than `hive_query_seconds`, and the errors
        of the transport when the server goes away or says nothing for `hive_silence_seconds`.
        """
        self._connection.socket.allow(self._connection.settings.hive_silence_seconds)
        try:
            super().execute(operation, parameters, async_=True)
            self._wait(self._connection.limit)
        except (KeyboardInterrupt, Overdue, TException, OSError, EOFError):
            # Perhaps in the middle of an answer: this connection is lost, and to close it ends the session as well.
            handle, self._operationHandle = self._operationHandle, None
            if handle is not None:
                with contextlib.suppress(Exception):
                    self._connection.cancel(handle)
            self._connection.socket.close()
            raise

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """As PyHive's, with the precision and the scale of a DECIMAL, which it leaves out."""
        if self._operationHandle is None or not self._operationHandle.hasResultSet:
            return None
        if self._description is None:
            answer = self._connection.client.GetResultSetMetadata(TGetResultSetMetadataReq(self._operationHandle))
            hive._check_status(answer)
            self._description = [_described(column) for column in answer.schema.columns]
        return self._description

    def _wait(self, limit: float) -> None:
        began = polled = time.monotonic()
        pause = 0.005
        while (status := self.poll()).operationState in WORKING:
            now = time.monotonic()
            if now - began > limit:
                raise Overdue(f"it ran longer than {limit:g} s and was cancelled; hive_query_seconds allows more")
            if self.watch:
                progress = status.progressUpdateResponse
                self.watch(now - began, progress.progressedPercentage if progress else None)
            time.sleep(max(0.0, pause - (now - polled)))  # none after a server that answers only when there is news
            polled = time.monotonic()
            pause = min(pause * 1.5, SLOWEST_POLL)
        if status.operationState != TOperationState.FINISHED_STATE:
            raise hive.OperationalError(status.errorMessage or "the server gives no cause")
        if status.hasResultSet is not None:  # HiveServer2 knows it only once the statement is compiled
            self._operationHandle.hasResultSet = status.hasResultSet


def _described(column: Any) -> tuple[Any, ...]:
    """A column as the DB-API describes it: name, type, two sizes that are not known, precision, scale, nullable."""
    entry = column.typeDesc.types[0].primitiveEntry
    kind = TTypeId._VALUES_TO_NAMES[entry.type] if entry else "STRING_TYPE"
    qualifiers = (entry.typeQualifiers.qualifiers if entry and entry.typeQualifiers else None) or {}
    precision, scale = (getattr(qualifiers.get(name), "i32Value", None) for name in ("precision", "scale"))
    return column.columnName, kind, None, None, precision, scale, True


def _transport(settings: Settings) -> tuple[Socket, TTransportBase]:
    """The socket to the engine of the settings and what speaks SASL over it; neither is open."""
    host, _, port = settings.sql_server.rpartition(":")
    socket = Socket(host.strip("[]"), int(port), tls(settings) if settings.hive_tls else None)
    if settings.hive_auth == "NOSASL":
        return socket, TBufferedTransport(socket)
    if settings.hive_auth == "KERBEROS":
        if importlib.util.find_spec("kerberos") is None:
            raise UsageError("hive_auth KERBEROS needs the Python package pykerberos", "install it (docs/cluster.md)")
        mechanism, options = "GSSAPI", {"service": settings.hive_kerberos_service}
    else:
        password = settings.password() if settings.hive_auth == "LDAP" else "none"  # any text but the empty one
        mechanism, options = "PLAIN", {"username": settings.hive_user, "password": password}
    return socket, thrift_sasl.TSaslClientTransport(lambda: Sasl(socket.host, **options), mechanism, socket)


def tls(settings: Settings) -> ssl.SSLContext:
    """TLS with certificates that must be valid, by the system's authorities or those of `hive_tls_ca`.

    Raises UsageError for a file that holds none.
    """
    try:
        context = ssl.create_default_context(cafile=settings.hive_tls_ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"setting hive_tls_ca cannot be {settings.hive_tls_ca}: {error}", "name a PEM file") from error
    if not settings.hive_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
