"""What people read of a mistake in SQL, on real servers."""

from __future__ import annotations

import pytest
from commands import Run
from TCLIService.ttypes import TCloseSessionReq

from etl.errors import ServerError
from etl.servers.hive import Hive, StatementError
from etl.settings import Settings

MISTAKES = {
    "SELECT exam_nam FROM flat.attempts": ("there is no column exam_nam", "did you mean exam_name?", "exam_nam"),
    "SELECT *\nFROM flat.attempt": ("there is no table or view flat.attempt", "did you mean flat.attempts?", "flat"),
    "SELECT * FROM flta.attempts": ("flta.attempts", "did you mean flat.attempts?", "flta"),
    "SELECT 1 + FROM flat.attempts": ("", "fix the statement", ""),
    "SELECT no_such_function(1)": ("there is no function no_such_function", "", ""),
}
BOILERPLATE = (
    "SQLSTATE",
    "Verify",
    "[TABLE",
    "[UNRES",
    "Exception",
    "FAILED",
    "spark.sql",
    "possible column",
    "Error 1",
)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("engine", ["spark", "hive"])
@pytest.mark.parametrize("statement", MISTAKES)
def test_a_mistake_is_shown_with_its_place(statement: str, engine: str, run: Run) -> None:
    cause, step, at = MISTAKES[statement]
    stderr = run("query", "--engine", engine, statement, code=1).stderr
    head, *excerpt = stderr.splitlines()
    assert cause in head and head.endswith(step) and not [word for word in BOILERPLATE if word in stderr], stderr
    if excerpt:
        line, below = excerpt
        assert line[below.index("^") :].startswith(at)
    assert excerpt or not at, stderr


@pytest.mark.parametrize("engine", ["spark", "hive"])
def test_a_session_that_the_server_no_longer_knows_is_a_lost_server(engine: str, settings: Settings) -> None:
    """As after a restart: the connection is answered, and its session is unknown."""
    with Hive(settings.model_copy(update={"engine": engine})) as hive:
        with pytest.raises(StatementError, match="there is no column nothing"):
            hive.query("SELECT nothing")
        session = hive._connection
        session.client.CloseSession(TCloseSessionReq(session.sessionHandle))
        with pytest.raises(
            ServerError, match=rf"{engine} at 127\.0\.0\.1.*Invalid SessionHandle.*see ./warehouse status"
        ):
            hive.query("SELECT 1 AS n")
