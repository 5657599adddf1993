"""Runs the whole pipeline on the local stack, with the synthetic sample."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from etl import local_stack
from etl.cli.shared import state
from etl.errors import ServerError, UsageError
from etl.local_stack import SERVERS
from etl.servers import kafka
from etl.setting_sources import origin
from etl.settings import Settings

NEXT = """
Query:    ./warehouse query "SELECT exam_name, message_count, mean_score FROM marts.exams ORDER BY 2 DESC LIMIT 5"
Or:       ./warehouse beeline          (any client of the HiveServer2 protocol works: {hive_server})
Pages:    {reports}/index.html  (./warehouse docs adds the catalog of all tables)
Or:       ./warehouse serve            (the same pages, on 127.0.0.1)
Stop:     ./warehouse down
The data is a SYNTHETIC sample that reproduces published figures. To publish the genuine file instead,
start over with an empty WAREHOUSE_HOME: ./warehouse up, ./warehouse publish FILE, ./warehouse run"""


def demo(conf: Callable[[], Settings], say: Callable[[str], None], run: Callable[[], None]) -> None:
    """Start what is not running, publish the sample into an empty topic, then land, build, validate and report.

    A topic that holds messages is left as it is: a second demo duplicates nothing.
    """
    from stack import processes

    began = time.monotonic()
    say("1. the stack")
    processes.up(conf(), say)
    settings = conf()
    _refuse_others(settings)
    say("2. publish")
    held = _held(settings)
    if held:
        say(f"topic {settings.topic} holds {held:,} messages already: nothing is published")
    else:
        say(f"acknowledged {_publish_sample(settings):,} synthetic messages")
    say("3. land, build, validate, report")
    run()
    print(NEXT.format(hive_server=settings.sql_server, reports=settings.reports))
    say(f"done in {time.monotonic() - began:.0f} s; the stack is up")


def _refuse_others(settings: Settings) -> None:
    """Raise UsageError where a setting names another server than the stack's: the sample belongs on no cluster."""
    stack = local_stack.read(settings.home).settings
    for name in SERVERS:
        if (address := str(getattr(settings, name))) not in ("", stack.get(name)):
            place = origin(Settings, name, state["flags"])
            raise UsageError(
                f"the demo runs on the local stack, but {place} gives {address} as {name}",
                "leave that setting out; for your own servers use publish and run",
            )


def _held(settings: Settings) -> int:
    try:
        return kafka.describe(settings).count
    except ServerError:
        return 0  # no such topic yet; publish reports a broker that does not answer


def _publish_sample(settings: Settings) -> int:
    from etl.publish.publish import publish
    from sample.generate import write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.json"
        with path.open("wb") as file:
            write(file)
        return publish(settings, str(path), None).acknowledged
