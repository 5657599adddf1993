"""A connection that does not hang: deadlines, cancelling, progress, and a server that goes away in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

import pytest
from slow_statements import SLOW, busy, server, wait_until
from TCLIService.ttypes import TGetOperationStatusReq, TOperationState

from etl.errors import ServerError
from etl.servers import hive_session as connect
from etl.servers.hive import Hive, StatementError
from etl.settings import PROJECT, Settings
from stack import processes

ENGINES = ("spark", "hive")


def on(settings: Settings, engine: str, **changes: Any) -> Settings:
    return settings.model_copy(update={"engine": engine, **changes})


# Servers that are none


# Deadlines and cancelling


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_statement_that_runs_too_long_is_cancelled_and_the_next_session_is_answered(
    engine: str, settings: Settings
) -> None:
    with Hive(on(settings, engine, hive_query_seconds=2)) as hive:
        with pytest.raises(StatementError, match="longer than 2 s and was cancelled; hive_query_sec"):
            hive.query(SLOW[engine])
        with pytest.raises(ServerError, match="disconnected during"):
            hive.query("SELECT 1 AS one")
    with Hive(on(settings, engine)) as hive:
        assert hive.query("SELECT 1 AS one").rows == [(1,)]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupt_cancels_the_statement_on_the_server(
    engine: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own word for it, asked over a second connection just after."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background was told to ignore it
    states = []
    cancel = connect.Connection.cancel

    def cancelled(connection: connect.Connection, operation: Any) -> None:
        with contextlib.closing(connect.Connection(connection.settings)) as other:

            def state() -> Any:
                return other.client.GetOperationStatus(TGetOperationStatusReq(operation)).operationState

            states.append(state())
            with contextlib.suppress(Exception):  # HiveServer2 answers when the DAG that it runs has ended
                cancel(connection, operation)
            wait_until(lambda: state() != TOperationState.RUNNING_STATE)
            states.append(state())

    monkeypatch.setattr(connect.Connection, "cancel", cancelled)

    def interrupt(seconds: float, _: float | None) -> None:
        if seconds > 1:
            signal.raise_signal(signal.SIGINT)

    with Hive(on(settings, engine), interrupt) as hive, pytest.raises(KeyboardInterrupt):
        hive.query(SLOW[engine])
    assert states[0] == TOperationState.RUNNING_STATE
    assert states[-1] in (
        TOperationState.CANCELED_STATE,
        TOperationState.CLOSED_STATE,
        None,
    )  # None: it knows it no more


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("engine", ENGINES)
def test_control_c_ends_the_command_and_the_work_on_the_server(engine: str, settings: Settings) -> None:
    """Tez in local mode without a network cannot be told to stop, so HiveServer2 ends the DAG that it runs."""
    environment = {**os.environ, "WAREHOUSE_HOME": str(settings.home), "NO_COLOR": "1"}
    worker = server(settings, engine)
    assert wait_until(lambda: busy(worker) < 0.2), "the server still works on something else"
    command = subprocess.Popen(
        [PROJECT / "warehouse", "query", "--engine", engine, SLOW[engine]],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    try:
        assert wait_until(lambda: busy(worker) > 0.5), "the statement does not run"
        command.send_signal(signal.SIGINT)
        assert command.communicate(timeout=20)[1] == "warehouse: interrupted\n"
        assert command.returncode == 1
        assert wait_until(lambda: busy(worker) < 0.2), "the server works on"
    finally:
        command.kill()


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("engine", ENGINES)
def test_progress_is_told_while_a_statement_runs(engine: str, settings: Settings) -> None:
    """Both tell how long it runs; HiveServer2 tells as well how much is done."""
    seen: list[tuple[float, float | None]] = []
    with (
        contextlib.suppress(StatementError),
        Hive(on(settings, engine, hive_query_seconds=6), lambda *progress: seen.append(progress)) as hive,
    ):
        hive.query(SLOW[engine])
    seconds = [moment for moment, _ in seen]
    assert len(seconds) > 2 and seconds == sorted(seconds) and seconds[-1] > 1
    shares = {share for _, share in seen}
    assert shares == {None} if engine == "spark" else any(share is not None and 0 <= share <= 1 for share in shares)


# A server that goes away


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that reaches a server, as often as it does."""
    found_names: list[str] = []
    from TCLIService import TCLIService

    send = TCLIService.Client.ExecuteStatement

    def counted(client: Any, request: Any) -> Any:
        found_names.append(request.statement)
        return send(client, request)

    monkeypatch.setattr(TCLIService.Client, "ExecuteStatement", counted)
    return found_names


@pytest.mark.usefixtures("built")
def test_a_server_that_freezes_is_told_and_nothing_is_sent_twice(
    settings: Settings, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "CANCEL_SECONDS", 1.0)
    frozen = server(settings, "hive")
    try:
        given = on(settings, "hive", hive_silence_seconds=2)
        failure = pytest.raises(ServerError, match="whose outcome is unknown: read timeout")
        with Hive(given, lambda *_: frozen.suspend()) as hive, failure:
            hive.query(SLOW["hive"])
    finally:
        frozen.resume()
    assert sent.count(SLOW["hive"]) == 1
    with Hive(on(settings, "hive")) as hive:
        assert hive.query("SELECT 1 AS one").rows == [(1,)]


@pytest.mark.usefixtures("built")
def test_a_server_that_dies_in_the_middle_is_told_and_nothing_is_sent_twice(
    settings: Settings, sent: list[str]
) -> None:
    killed = server(settings, "hive")
    try:
        with (
            Hive(on(settings, "hive"), lambda seconds, _: seconds > 1 and killed.kill()) as hive,
            pytest.raises(
                ServerError, match=r"hive at .* disconnected during `SELECT COUNT.*outcome is unknown"
            ) as caught,
        ):
            hive.query(SLOW["hive"])
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
        assert sent.count(SLOW["hive"]) == 1
    finally:
        killed.wait(20)
        processes.up(settings, print, "all")


# What the settings must hold
