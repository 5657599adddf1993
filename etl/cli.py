"""The command line: reads the settings, calls one module per verb, prints counts, turns errors into exit codes.

Modules are imported where they are used: Spark and Great Expectations take seconds to load.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from etl import errors, settings
from etl.errors import ExpectationError, UsageError, WarehouseError

if TYPE_CHECKING:
    from etl.connect import Watch

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Kafka messages to flattened, validated Hive tables and a report.",
    epilog="Exit codes: 0 good, 1 failed, 2 wrong usage, 3 expectations failed or data is missing.",
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
TYPER_INTERRUPTED = 130  # what Typer makes of Ctrl-C
state: dict[str, Any] = {"flags": {}, "debug": False}
Variables = Annotated[list[str], typer.Option("--hivevar", metavar="NAME=VALUE", help="A declared parameter.")]
Engine = Annotated[str | None, typer.Option(metavar="spark|hive", help="What runs the SQL.")]


def say(text: str) -> None:
    """A line of progress, on standard error."""
    err.print(text, markup=False)


@contextlib.contextmanager
def watching() -> Iterator[Watch | None]:
    """What shows, to a person at a terminal, how far a statement is; None where nobody watches."""
    if not err.is_terminal:
        yield None
        return
    with err.status("") as shown:

        def watch(seconds: float, share: float | None) -> None:
            shown.update(f"{seconds:.0f} s" if share is None else f"{seconds:.0f} s, {share:.0%} done")

        yield watch


def conf(engine: str | None = None) -> settings.Settings:
    """The settings of this call; `engine` is a command's own flag."""
    return settings.load(**state["flags"] | ({"engine": engine} if engine else {}))


def pairs(texts: list[str], what: str) -> dict[str, str]:
    """`name=value` texts as a dictionary; UsageError for another form."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{what} cannot be {text!r}", "write name=value")
        found[name] = value
    return found


@app.callback()
def options(
    set_: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A setting, such as topic=exams (repeatable).")
    ] = [],  # noqa: B006
    debug: Annotated[bool, typer.Option(help="Show the trace of an error.")] = False,
) -> None:
    """Take what holds for every command."""
    state["debug"] = debug
    flags = pairs(set_, "--set")
    if "hive_password" in flags:
        raise UsageError(
            "a password on the command line can be read by every user of this machine",
            "set WAREHOUSE_HIVE_PASSWORD in the environment, or hive_password_file",
        )
    if unknown := set(flags) - set(settings.Settings.model_fields):
        raise UsageError(f"there is no setting {min(unknown)}", "docs/settings.md lists them")
    state["flags"] = flags


@app.command(epilog="Example: ./warehouse up --engine all")
def up(
    engine: Annotated[
        str | None, typer.Option(metavar="spark|hive|all", help="What answers; hive and all start HiveServer2 too.")
    ] = None,
) -> None:
    """Start Kafka, HDFS, the metastore, Spark and, by --engine, HiveServer2 on 127.0.0.1; wait until all are well."""
    from etl.stack import processes

    if engine not in (None, "spark", "hive", "all"):
        raise UsageError(f"--engine cannot be {engine!r}", "give spark, hive or all")
    began = time.monotonic()
    found = processes.up(conf(), say, engine)
    say(f"{len(found['processes'])} servers are healthy after {time.monotonic() - began:.0f} s")


@app.command(epilog="Example: ./warehouse down")
def down() -> None:
    """End the servers that `up` started, and nothing else."""
    from etl.stack import processes

    ended = processes.down(conf())
    say(f"ended {len(ended)} servers{': ' if ended else ''}{', '.join(ended)}")


@app.command(epilog="Example: ./warehouse status")
def status() -> None:
    """Show every server: its address, its process and whether it is healthy."""
    from etl import query
    from etl.hive import Result
    from etl.stack import health

    rows = health.status(conf())
    result = Result(["server", "address", "process", "health"], rows)
    print(query.formatted(result, "table"))
    if any(row[3] != "healthy" for row in rows):
        raise typer.Exit(errors.EXIT_FAILED)


@app.command(epilog="Example: ./warehouse doctor")
def doctor() -> None:
    """Check Python, Java, packages, disk and every server; say what to do about each fault."""
    from etl.stack import health

    faults = 0
    for is_good, what, step in health.examine(conf()):
        faults += not is_good
        print(f"{'ok   ' if is_good else 'FAULT'}  {what}{'' if is_good else f': {step}'}")
    say(f"{faults} faults")
    if faults:
        raise typer.Exit(errors.EXIT_FAILED)


@app.command(epilog="Example: ./warehouse generate --attempts 5 --seed 2")
def generate(attempts: int = 3280, seed: int = 1) -> None:
    """Write synthetic messages to standard output, a JSON line each; 3,280 reproduce the published figures."""
    from sample.generate import write

    if attempts < 0:
        raise UsageError(f"--attempts cannot be {attempts}", "give 0 or more")
    count = write(sys.stdout.buffer, attempts, seed)
    say(f"generated {count:,} synthetic messages")


@app.command(epilog="Example: ./warehouse generate | ./warehouse publish -")
def publish(source: Annotated[str, typer.Argument(metavar="FILE|-")], topic: str | None = None) -> None:
    """Publish a JSON array or JSON lines (plain or .gz) to Kafka, one record one message."""
    from etl.publish import publish as run

    if topic is not None:
        state["flags"]["topic"] = topic  # read, and refused, as the setting it is
    done = run(conf(), source, topic)
    say(f"acknowledged {done.acknowledged:,} messages in {done.seconds:.1f} s, {done.unkeyed:,} without a key")
    if done.is_genuine:
        say("this is the published file, byte for byte")


@app.command(epilog="Example: ./warehouse land")
def land(
    accept_loss: Annotated[
        list[str],
        typer.Option(
            metavar="PARTITION:FIRST-LAST", help="Offsets that Kafka lost and that may be missing (repeatable)."
        ),
    ] = [],  # noqa: B006
) -> None:
    """Land what is new in Kafka: raw JSON tables on HDFS, each message exactly once."""
    from etl.land import land as run

    landed = run(conf(), say, accept_loss)
    say(f"landed {landed.accepted:,} messages, rejected {landed.rejected:,}{landed.spans}")


@app.command(epilog="Example: ./warehouse rejected")
def rejected(message: Annotated[str | None, typer.Argument(metavar="[PARTITION:OFFSET]")] = None) -> None:
    """Show the rejected messages by reason; write the one that is named, byte for byte, to standard output."""
    from etl import query
    from etl import rejected as verb
    from etl.hive import Hive

    with Hive(conf()) as hive:
        if message is None:
            print(query.formatted(verb.by_reason(hive), "table"))
            return
        found = verb.message(hive, message)
    sys.stdout.buffer.write(found or b"")
    say("a tombstone: it has no value" if found is None else f"{len(found):,} bytes")


@app.command(epilog="Example: ./warehouse replay")
def replay() -> None:
    """Land the rejected messages that fit by now, as after a change of the contract; each once."""
    from etl.replay import replay as run

    done = run(conf(), say)
    say(f"landed {done.landed.accepted:,} messages that had been rejected, {done.rejected:,} are rejected still")


@app.command(epilog="Example: ./warehouse build flat.attempts")
def build(
    tables: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...")] = None, engine: Engine = None
) -> None:
    """Run the SQL files that are due, validate what they made, and let readers see it; or just these tables."""
    built(tables, engine)


def built(tables: list[str] | None, engine: str | None) -> bool:
    """Build, and say what was found; False where nothing was due."""
    from etl.build import build as run
    from etl.validate import preload

    preload()
    with watching() as watch:
        validated = run(conf(engine), tables or [], say, watch)
    if validated is None:
        say("every table is up to date")
        return False
    show(validated)
    return True


@app.command(epilog="Example: ./warehouse plan")
def plan(engine: Engine = None) -> None:
    """Show what build would do, and why; changes no table."""
    from etl import build, query
    from etl.hive import Hive, Result

    given = conf(engine)
    with Hive(given) as hive:
        todo = build.plan(given, hive)
    rows: list[tuple[Any, ...]] = [
        (step.file.name, "build" if step.is_due else "keep", step.why) for step in todo.steps
    ]
    print(query.formatted(Result(["table", "action", "why"], rows), "table"))
    say(f"newest landing {todo.landing}, {len(todo.due)} of {len(rows)} tables to build")


@app.command(epilog="Example: ./warehouse rollback")
def rollback(engine: Engine = None) -> None:
    """Let readers see the build before the published one; the next build publishes anew."""
    from etl.release import rollback as run

    run(conf(engine), say)


@app.command(epilog="Example: ./warehouse clean --yes")
def clean(
    engine: Engine = None, yes: Annotated[bool, typer.Option("--yes", help="Remove it, do not just show it.")] = False
) -> None:
    """Show the builds and leftovers that nobody needs; never what is published or one step back."""
    from etl import query
    from etl.clean import clean as run
    from etl.hive import Result

    found = run(conf(engine), yes)
    print(query.formatted(Result(["path", "bytes", "why"], [(one.path, one.bytes, one.why) for one in found]), "table"))
    total = f"{len(found)} paths, {sum(one.bytes for one in found):,} bytes"
    say(f"removed {total}" if yes else f"would remove {total}; nothing was removed without --yes")


@app.command(epilog="Example: ./warehouse validate")
def validate(engine: Engine = None) -> None:
    """Run the expectation suites over what readers see; exit code 3 when a critical one is not met."""
    from etl.validate import validate as run

    validated = run(conf(engine), say)
    show(validated)
    if not validated.is_good:
        raise ExpectationError("critical expectations are not met", f"look at {validated.summary}")


def show(validated: Any) -> None:
    """Print the verdict."""
    for row in validated.failed:
        column = f" {row['column_name']}" if row["column_name"] else ""
        say(f"{row['severity']}: {row['table_name']}{column}: {row['expectation']}: {row['observed']}")
    met = len(validated.rows) - len(validated.failed)
    say(f"{met} of {len(validated.rows)} expectations met in {validated.seconds:.1f} s: {validated.summary}")


@app.command(epilog="Example: ./warehouse report")
def report(
    engine: Engine = None, notebook: Annotated[bool, typer.Option(help="Write it as an executed notebook too.")] = True
) -> None:
    """Answer the questions of sql/4_reports as one HTML page, one Markdown file and an executed notebook."""
    from etl import notebook as executed
    from etl.hive import Hive
    from etl.report import report as run

    given = conf(engine)
    with Hive(given) as hive:
        done = executed.report(given) if notebook else run(given, hive.query)
    for answer in done.answers:
        out.print(answer, markup=False)
    paths = [str(path) for path in (done.html, done.markdown, done.notebook) if path]
    say(f"answered {len(done.sections)} questions: {', '.join(paths[:-1])} and {paths[-1]}")


@app.command(epilog="Example: ./warehouse run")
def run(engine: Engine = None) -> None:
    """Land, build, validate, publish and report."""
    land()
    failed: ExpectationError | None = None
    try:
        if not built(None, engine):
            validate(engine)
    except ExpectationError as error:
        failed = error  # the report is what people look at to see why
    report(engine)
    if failed:
        raise failed


@app.command(epilog='Example: ./warehouse query "SELECT COUNT(*) AS attempts FROM flat.attempts" --format json')
def query(
    statement: Annotated[str | None, typer.Argument(metavar="[SQL]")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Run a SQL file instead.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    hivevar: Variables = [],  # noqa: B006
    engine: Engine = None,
) -> None:
    """Ask in SQL; the rows go to standard output, and nothing else does."""
    from etl import query as verb

    if form not in ("table", "csv", "json"):
        raise UsageError(f"--format cannot be {form!r}", "give table, csv or json")
    statements = verb.read(statement, file, pairs(hivevar, "--hivevar"))
    with watching() as watch:
        result = verb.query(conf(engine), statements, watch)
    print(verb.formatted(result, form))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    epilog='Example: ./warehouse beeline -e "SHOW DATABASES"',
)
def beeline(context: typer.Context, engine: Engine = None) -> None:
    """Run the real beeline on the warehouse, with beeline's own arguments."""
    from etl.stack import client

    raise typer.Exit(client.beeline(conf(engine), context.args))


@app.command(epilog="Example: ./warehouse demo")
def demo(engine: Engine = None) -> None:
    """Start the stack and take the synthetic sample the whole way: publish, land, build, validate, report."""
    from etl import demo as verb

    verb.demo(lambda: conf(engine), say, lambda: run(engine))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Example: ./warehouse test -k land",
)
def test(
    context: typer.Context,
    long: Annotated[bool, typer.Option("--long", help="The tests that take minutes, too.")] = False,
) -> None:
    """Run the tests on a stack of their own; other arguments go to pytest."""
    import subprocess

    chosen = [] if long else ["-m", "not long"]
    command = [sys.executable, "-m", "pytest", *chosen, *context.args]
    raise typer.Exit(subprocess.run(command, cwd=settings.PROJECT, check=False).returncode)


def main() -> None:
    """Run the command line; every error is one line and an exit code, a trace comes only with --debug."""
    try:
        code = app(prog_name="./warehouse", standalone_mode=False)
    except BrokenPipeError:  # whoever read the output has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(errors.EXIT_FAILED)
    except WarehouseError as error:
        if state["debug"]:
            traceback.print_exc()
        fail(str(error), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        fail("interrupted", errors.EXIT_FAILED)
    except Exception as error:
        if state["debug"]:
            traceback.print_exc()
        if not sys.argv[1:]:  # no command: Typer has the help as its message
            print(error.format_message() if hasattr(error, "format_message") else error)
            sys.exit(errors.EXIT_USAGE)
        if hasattr(error, "format_message"):  # what Typer says of wrong words
            text = " ".join(error.format_message().split()).rstrip(".")
            fail(f"{text}; see ./warehouse --help", errors.EXIT_USAGE)
        kind = type(error).__name__
        fail(f"unexpected {kind}: {' '.join(str(error).split())[:300]}; see --debug", errors.EXIT_FAILED)
    if code == TYPER_INTERRUPTED:
        fail("interrupted", errors.EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else errors.EXIT_OK)


def fail(message: str, code: int) -> NoReturn:
    """Say in one line what went wrong, and end."""
    err.print(f"warehouse: {message}", markup=False)
    sys.exit(code)
