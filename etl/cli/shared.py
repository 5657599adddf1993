"""What all commands share: the application, its options and their completion, the settings of a call, JSON output."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl.errors import BusyError, UsageError, WarehouseError
from etl.terminal import escaped_json, say

if TYPE_CHECKING:
    from etl.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Turn Kafka messages into flat, validated Hive tables and reports.",
    epilog="Exit codes: 0 good, 1 failed, 2 wrong usage, 3 expectations failed or data is missing.",
)
state: dict[str, Any] = {"flags": {}, "debug": False}
ENGINES = {
    "spark": "Spark's Thrift Server",
    "hive": "HiveServer2 with Tez",
    "all": "both, for up",
}
FORMATS = {"table": "for people", "csv": "with a header", "json": "an array, one object a line"}


# Completions for the shell, as (word, meaning)


def engines(incomplete: str) -> list[tuple[str, str]]:
    """The engines that run SQL."""
    return [(name, meaning) for name, meaning in ENGINES.items() if name != "all" and name.startswith(incomplete)]


def engines_to_start(incomplete: str) -> list[tuple[str, str]]:
    """The engines that can be started."""
    return [(name, meaning) for name, meaning in ENGINES.items() if name.startswith(incomplete)]


def formats(incomplete: str) -> list[tuple[str, str]]:
    """The forms of rows."""
    return [(name, meaning) for name, meaning in FORMATS.items() if name.startswith(incomplete)]


def settings_to_set(incomplete: str) -> Iterator[tuple[str, str]]:
    """The settings that may be flags, each with its equals sign."""
    from etl.settings import SECRETS, Settings

    for name, field in Settings.model_fields.items():
        if name not in SECRETS and name.startswith(incomplete):
            yield f"{name}=", field.description or ""


Variables = Annotated[
    list[str], typer.Option("--hivevar", metavar="NAME=VALUE", help="Value of a declared parameter (repeatable).")
]
Engine = Annotated[
    str | None, typer.Option(metavar="spark|hive", help="The engine that runs the SQL.", autocompletion=engines)
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output.")]


def conf(engine: str | None = None) -> Settings:
    """The settings of this call; `engine` is a command's own flag."""
    from etl import settings

    return settings.load(**state["flags"] | ({"engine": engine} if engine else {}))


def writing(engine: str | None = None) -> Settings:
    """The settings of a call that writes to the warehouse: it must be the one that this home wrote to before."""
    from etl.store import identity

    given = conf(engine)
    identity.confirm_warehouse(given)
    return given


@contextlib.contextmanager
def recorded(condition: str) -> Iterator[None]:
    """Record whether the block fails as a condition, which the start page shows and the setting `notify` reports."""
    try:
        yield
    except (typer.Exit, BusyError):  # another process does it, and records how it ends
        raise
    except Exception as error:
        record(condition, f"{error}" if isinstance(error, WarehouseError) else f"{type(error).__name__}: {error}")
        raise
    record(condition, None)


def record(condition: str, fault: str | None) -> None:
    """Record a condition; where that is a change, the start page shows it. Raises nothing."""
    from etl.monitoring import conditions

    if conditions.record(conf(), condition, fault, say):
        from etl.catalog import catalog_pages

        with contextlib.suppress(OSError):
            catalog_pages.write_start(conf())


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """Parse `name=value` texts; raises UsageError for another form."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} cannot be {text!r}", "write name=value")
        values[name] = value
    return values


def write(document: Any) -> None:
    """Write a JSON document to standard output; a terminal gets its control characters escaped."""
    import msgspec

    text = msgspec.json.encode(document, enc_hook=str).decode()
    print(msgspec.json.format(escaped_json(text) if sys.stdout.isatty() else text, indent=2))


@app.callback()
def options(
    set_: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting, such as topic=exams (repeatable).",
            autocompletion=settings_to_set,
        ),
    ] = [],  # noqa: B006
    debug: Annotated[bool, typer.Option(help="Show the trace of an error.")] = False,
) -> None:
    """Options before the command, which apply to every command."""
    state["debug"] = debug
    flags = pairs(set_, "--set")
    state["flags"] = flags
    if not flags:
        return
    from etl.setting_sources import near
    from etl.settings import SECRETS, Settings

    for name in SECRETS & set(flags):
        raise UsageError(
            f"{name} on the command line can be read by every user of this machine",
            f"set WAREHOUSE_{name.upper()} in the environment, or {name} in warehouse.local.toml",
        )
    if unknown := set(flags) - set(Settings.model_fields):
        raise UsageError(f"there is no setting {min(unknown)}", near(min(unknown), Settings.model_fields))
