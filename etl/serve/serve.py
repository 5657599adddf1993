"""serve: the warehouse's pages, and one to ask questions on, served on 127.0.0.1 until it is interrupted."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from etl.errors import ServerError, WarehouseError
from etl.serve.answers import Pages, Site
from etl.serve.asking import Asking, Limits
from etl.serve.guard import Guard
from etl.settings import Settings

HOST = "127.0.0.1"
WAIT_SECONDS = 3  # for answers that are on their way when it ends


def serve(settings: Settings, port: int, say: Callable[[str], None], *, debug: bool = False) -> None:
    """Serve until Ctrl-C or SIGTERM; `port` 0 takes a free one. ServerError where the port is taken."""
    with listening(port) as listener, _ending_quietly():
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        say(f"{address} asks {settings.engine} at {settings.sql_server} and shows {settings.reports}; Ctrl-C ends it")
        server(settings, listener, debug=debug).run(sockets=[listener])
    say("ended")


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket that only this machine reaches."""
    try:
        listener = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise ServerError(
            f"{HOST}:{port} cannot be listened at: {error}", "give another --port; 0 takes a free one"
        ) from error
    with listener:
        yield listener


@contextlib.contextmanager
def _ending_quietly() -> Iterator[None]:
    """uvicorn raises the signal that ended it once more; nothing is left to be interrupted then."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, lambda *_: None) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


def server(
    settings: Settings, listener: socket.socket, limits: Limits | None = None, *, debug: bool = False
) -> uvicorn.Server:
    """What runs on the socket; with `debug` it prints the trace of what nobody expected."""
    port = listener.getsockname()[1]
    return uvicorn.Server(
        uvicorn.Config(
            application(Asking(settings, limits), port),
            log_level="error" if debug else "critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=WAIT_SECONDS,
        )
    )


def application(asking: Asking, port: int) -> Starlette:
    """All addresses behind the guard."""
    token = secrets.token_urlsafe(32)
    site = Site(asking, token)
    one = "/api/questions/{id}"
    routes = [
        Route("/", site.start),
        Route("/ask", site.ask),
        Route("/ask.js", site.script),
        Route("/ask.css", site.styles),
        Route("/api/shelf", site.shelf),
        Route("/api/questions", site.questions),
        Route("/api/questions", site.new, methods=["POST"]),
        Route(one, site.one),
        Route(f"{one}/cancel", site.cancel, methods=["POST"]),
        Route(f"{one}/chart.svg", site.chart),
        Route(f"{one}/rows.csv", site.file),
        Mount("/", Pages(directory=asking.settings.reports, html=True, check_dir=False)),
    ]

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        asking.close()

    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=frozenset({f"{HOST}:{port}", f"localhost:{port}"}), token=token)],
        exception_handlers={WarehouseError: told, HTTPException: missing, Exception: unexpected},
        lifespan=life,
    )


async def told(_: Request, error: Exception) -> Response:
    """What went wrong, in its one line."""
    return JSONResponse({"error": str(error)}, 400)


async def unexpected(_: Request, error: Exception) -> Response:
    """What nobody thought of."""
    cause = " ".join(str(error).split())[:300]
    return JSONResponse({"error": f"unexpected {type(error).__name__}: {cause}; see ./warehouse --debug serve"}, 500)


async def missing(request: Request, error: Exception) -> Response:
    """A page that is not there."""
    code = error.status_code if isinstance(error, HTTPException) else 404
    path = request.url.path[:200]
    if code != 404:
        return PlainTextResponse(f"{request.method} {path} is not answered here\n", code)
    return PlainTextResponse(f"{path} is not there; http://{request.headers['host']}/ lists the pages\n", code)
