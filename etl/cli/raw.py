"""generate, publish, canary, land, rejected, replay: messages into Kafka, and from there into the raw tables."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from etl import terminal
from etl.cli.shared import Json, app, conf, record, recorded, state, write, writing
from etl.errors import UsageError
from etl.terminal import progress, say


@app.command(epilog="Example: ./warehouse generate --attempts 5 --seed 2")
def generate(
    attempts: Annotated[int, typer.Option(help="Number of messages.")] = 3280,
    seed: Annotated[int, typer.Option(help="The same seed gives the same messages.")] = 1,
) -> None:
    """Write synthetic messages to standard output.

    One JSON line per message; 3,280 reproduce the published figures.
    """
    from sample.generate import write as generated

    if attempts < 0:
        raise UsageError(f"--attempts cannot be {attempts}", "give 0 or more")
    with progress("generate"):
        count = generated(sys.stdout.buffer, attempts, seed)
    say(f"generated {count:,} synthetic messages")


@app.command(epilog="Example: ./warehouse generate | ./warehouse publish -")
def publish(
    source: Annotated[str, typer.Argument(metavar="FILE|-")],
    topic: Annotated[str | None, typer.Option(help="Topic to publish to, instead of the one in the settings.")] = None,
    is_forced: Annotated[
        bool,
        typer.Option("--force", help="Publish the lines as they are, even if the input does not look like messages."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish a file or standard input to Kafka.

    A JSON array, JSON lines or JSON objects, plain or .gz; each record becomes a message.
    """
    from etl.publish.publish import publish as run

    if topic is not None:
        state["flags"]["topic"] = topic  # read, and refused, as the setting it is
    done = run(conf(), source, topic, is_forced=is_forced)
    if as_json:
        write(done)
    say(f"acknowledged {done.acknowledged:,} messages in {done.seconds:.1f} s, {done.unkeyed:,} without a key")
    if done.is_genuine:
        say("this is the published file, byte for byte")


@app.command(epilog="Example: ./warehouse canary")
def canary() -> None:
    """Publish a test message that proves the path from Kafka to the views.

    It lands in raw.canaries, and no figure counts it.
    """
    from etl.publish.publish import publish_canary

    given = conf()
    publish_canary(given)
    say(f"published a canary to {given.topic}")


@app.command(epilog="Example: ./warehouse land")
def land(
    accept_loss: Annotated[
        list[str],
        typer.Option(
            metavar="PARTITION:FIRST-LAST",
            help="Offsets that Kafka deleted before they were landed; accepts the loss (repeatable).",
        ),
    ] = [],  # noqa: B006
    is_following: Annotated[
        bool, typer.Option("--follow", help="Keep landing, building and validating until SIGTERM or Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy new messages from Kafka to the raw tables.

    Lands each message exactly once, as JSON on HDFS.
    """
    if is_following:
        _follow(accept_loss)
        return
    from etl.land import offsets
    from etl.land.land import land as run

    offsets.gaps_of(accept_loss)  # what was typed, before a server is needed
    with recorded("landing"):
        landed = run(writing(), say, accept_loss)
    if as_json:
        write({"accepted": landed.accepted, "rejected": landed.rejected, "landing": landed})
    say(f"landed {landed.accepted:,} messages, rejected {landed.rejected:,}{landed.spans}")


def _follow(accept_loss: list[str]) -> None:
    from etl.build.follow import follow, stopped_by_signals

    if accept_loss:
        raise UsageError("--follow takes no --accept-loss", "run land with it once, then follow")

    def recover() -> None:
        for condition in ("follower", "landing", "build"):  # may have failed before
            record(condition, None)

    with recorded("follower"), stopped_by_signals() as stop:
        total = follow(writing(), say, stop, recover)
    say(f"stopped; {total:,} messages were landed, built and validated")


@app.command(epilog="Example: ./warehouse rejected")
def rejected(
    message: Annotated[str | None, typer.Argument(metavar="[PARTITION:OFFSET]")] = None, as_json: Json = False
) -> None:
    """Show the rejected messages by reason, or one of them.

    A single message is written to standard output, byte for byte; a terminal gets its control
    characters escaped.
    """
    from etl import query
    from etl.land import rejected as verb
    from etl.servers.hive import Hive

    if message is not None and as_json:
        raise UsageError("a message is written byte for byte, not as JSON", "leave out --json or the place")
    with progress("rejected"), Hive(conf()) as hive:
        result = verb.by_reason(hive) if message is None else None
        content = None if message is None else verb.message(hive, message)
    if result is not None:
        print(query.formatted(result, "json" if as_json else "table"))
        return
    terminal.write(content or b"")
    say("a tombstone: it has no value" if content is None else f"{len(content):,} bytes")


@app.command(epilog="Example: ./warehouse replay")
def replay(as_json: Json = False) -> None:
    """Land rejected messages that fit the contract now, each once."""
    from etl.land.replay import replay as run

    done = run(writing(), say)
    if as_json:
        write({"accepted": done.landed.accepted, "rejected": done.rejected, "landing": done.landed})
    say(f"landed {done.landed.accepted:,} messages that had been rejected; {done.rejected:,} are still rejected")
