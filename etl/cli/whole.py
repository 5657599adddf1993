"""run, demo, test: several commands in one, and the tests."""

from __future__ import annotations

import os
import sys

import typer

from etl.cli.answers import report
from etl.cli.raw import land
from etl.cli.shared import Engine, app, conf
from etl.cli.tables import built, erase, validate
from etl.errors import ExpectationError
from etl.terminal import say


@app.command(epilog="Example: ./warehouse run")
def run(engine: Engine = None) -> None:
    """Land, build, validate, publish and report.

    Before that it completes an erasure that was interrupted.
    """
    from etl.store import erasures

    if erasures.is_pending(conf(engine)):
        erase([], engine=engine)
    land()
    failed: ExpectationError | None = None
    try:
        if not built(engine):
            validate(engine)
    except ExpectationError as error:
        failed = error  # the report shows why
    report(engine)
    if failed:
        raise failed


@app.command(epilog="Example: ./warehouse demo")
def demo(engine: Engine = None) -> None:
    """Run the whole pipeline on the synthetic sample.

    Start the servers, publish, land, build, validate, report; the servers stay up.
    """
    from etl.cli import demo as verb

    verb.demo(lambda: conf(engine), say, lambda: run(engine))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: ./warehouse test -k conventions",
)
def test(context: typer.Context) -> None:
    """Run the tests, on servers that they start themselves.

    Arguments go to pytest. --long runs the tests that take minutes, --long PART,PART those of these parts; -n 0 runs
    all in one process.
    """
    from etl.settings import PROJECT

    os.chdir(PROJECT)
    # Replaces this process, so that ending it ends the tests, which then end their servers.
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-n", "2", *context.args])  # noqa: S606
