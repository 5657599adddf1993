"""Serves the pages on 127.0.0.1 until it is interrupted.

Starlette and uvicorn do the work. What they leave open is bounded here: a connection ends after CONNECTION_SECONDS
whatever its client does, so that slow clients cannot hold the server for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from etl.errors import ServerError
from etl.serve.site import application, headers
from etl.settings import Settings

HOST = "127.0.0.1"
CONNECTION_SECONDS = 30.0  # the largest page takes a second on the loopback interface
IDLE_SECONDS = 5  # between two requests of one connection
MOST_CONNECTIONS = 50  # beyond them a request gets 503
MOST_SOCKETS = 200  # beyond them a connection is closed unread
GRACE_SECONDS = 3  # for answers under way when the server ends


class Bounded(H11Protocol):
    """An HTTP connection that ends in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, for CONNECTION_SECONDS at most."""
        super().connection_made(transport)
        if len(self.connections) > MOST_SOCKETS:
            transport.abort()
        self._deadline = self.loop.call_later(CONNECTION_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Close on what is not HTTP: uvicorn's own answer to it carries no headers of ours."""
        self.transport.close()


def serve(load: Callable[[], Settings], port: int, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; `port` 0 takes a free one. Raises ServerError where the port is taken.

    `load` reads the settings again for each reading of the metrics: `up` and `down` change the addresses.
    """
    folder = load().reports
    with listening(port) as listener, _ending_quietly():
        say(f"http://{HOST}:{listener.getsockname()[1]}/ serves {folder}; Ctrl-C ends it")
        server(folder, load).run(sockets=[listener])
    say("ended")


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket that only this machine reaches."""
    try:
        listener = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise ServerError(f"cannot listen on {HOST}:{port}: {error}", "give another --port; 0 picks a free one") from (
            error
        )
    with listener:
        yield listener


@contextlib.contextmanager
def _ending_quietly() -> Iterator[None]:
    """Ignore the signal that uvicorn raises again after it has ended by it."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def server(folder: Path, load: Callable[[], Settings]) -> uvicorn.Server:
    """The server of a folder of pages and of the metrics, to be run on a listening socket."""
    return uvicorn.Server(
        uvicorn.Config(
            application(folder, load),
            http=Bounded,
            ws="none",
            lifespan="off",
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            headers=headers(),
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
