"""Finds faults of this machine, the packages, the settings and every server, and says what to do."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from etl.errors import UsageError
from etl.setting_sources import origin
from etl.settings import PROJECT, SECRETS, Settings
from etl.terminal import Bar
from stack import health, parts, ports, probes, processes, superset
from stack.layout import PORTS

MEMORY_BYTES = 6e9  # of the whole stack with Spark alone
FREE_MEMORY_BYTES = 1e9  # for a command beside it
SKEW_SECONDS = 60
PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; (.+))? \\$", re.MULTILINE)


@dataclass(frozen=True)
class Check:
    """The result of one check; `step` is what to do about a fault."""

    is_good: bool
    text: str
    step: str = ""


def examine(settings: Settings, flags: Mapping[str, str], bar: Bar) -> Iterator[Check]:
    """Run all checks, the machine first. `flags` are the settings given as flags."""
    for look in (_machine, _packages, _jars, _superset, _ports):
        bar.at(0, text=look.__name__.strip("_"))
        yield from look(settings)
    yield from _settings(settings, flags)
    yield from _servers(settings, bar)


def _machine(settings: Settings) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _check(sys.version_info >= (3, 11), f"Python {version}", "install Python 3.11 or newer")
    yield _java()
    yield _check(shutil.which("bash") is not None, "bash, which HDFS runs", "install bash")
    memory = psutil.virtual_memory()
    yield _check(
        memory.available >= FREE_MEMORY_BYTES,
        f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.0f} GB of memory are free; "
        f"all servers take about {MEMORY_BYTES / 1e9:.0f}",
        "end other programs",
    )
    settings.require_home()
    free = shutil.disk_usage(settings.home).free
    is_roomy = free >= processes.FREE_BYTES
    yield _check(is_roomy, f"{free / 1e9:.0f} GB of disk are free at {settings.home}", "free some space")
    skew = probes.clock_skew(settings.webhdfs)
    if skew is not None:
        text = f"the clocks of this machine and the NameNode differ by {abs(skew):.0f} s"
        yield _check(abs(skew) <= SKEW_SECONDS, text, "set the clocks of both by NTP")


def _java() -> Check:
    try:
        java = next((path for path in parts.candidates() if parts.java_version(path) in parts.JAVA_VERSIONS), None)
    except UsageError as error:  # JAVA_HOME names none
        return Check(False, str(error.args[0]), error.step)
    return Check(True, f"Java {java}" if java else "no Java 17 or 21: ./warehouse up and beeline bring one")


def _packages(_: Settings) -> Iterator[Check]:
    """Whether the installed Python packages are the locked ones."""
    from packaging.markers import Marker

    locked = PACKAGE.findall((PROJECT / "requirements.lock").read_text(encoding="utf-8"))
    wanted = {name: version for name, version, marker in locked if not marker or Marker(marker).evaluate()}
    installed = {name: _installed(name) for name in wanted}
    wrong = [
        f"{name} {installed[name] or 'missing'} for {wanted[name]}"
        for name in wanted
        if installed[name] != wanted[name]
    ]
    text = f"{len(wanted)} Python packages are as locked" if not wrong else f"Python packages: {', '.join(wrong[:5])}"
    yield _check(not wrong, text, f"delete {sys.prefix}, then run ./warehouse again")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _jars(_: Settings) -> Iterator[Check]:
    jars = parts.locked()
    bad = [jar for jar in jars if not parts.is_genuine(jar)]
    if len(bad) == len(jars):
        yield Check(True, f"the {len(jars)} jars of the servers are not here yet: ./warehouse up fetches them")
        return
    step = f"delete {parts.SHARE / 'jars.lock'}, then run ./warehouse up"
    yield _check(not bad, f"{len(jars)} jars, {len(bad)} missing or damaged", step)


def _superset(settings: Settings) -> Iterator[Check]:
    """The installation of Superset, where there is one."""
    for is_good, text, step in superset.checks(settings):
        yield _check(is_good, text, step)


def _ports(settings: Settings) -> Iterator[Check]:
    """Ports of the local stack that other programs use: `up` picks others for those that were not set."""
    local = processes.read(settings)
    ours = set(local["ports"].values()) if any(process.handle() for process in local["processes"].values()) else set()
    wanted = {name: settings.ports.get(name, port) for name, port in PORTS.items()}
    taken = {name: port for name, port in wanted.items() if port and port not in ours and not ports.is_free(port)}
    who = _listeners()
    for name in [name for name in taken if name in settings.ports and not ours]:
        text = f"port {taken[name]}, set for {name}, is taken by {who.get(taken[name], 'another program')}"
        yield Check(False, text, "end the program that uses it or set another port")
    if others := [f"{name} {port} by {who.get(port, 'another program')}" for name, port in taken.items()]:
        yield Check(True, f"ports that other programs use, for which up picks others: {', '.join(others)}")
    else:
        yield Check(True, f"none of the {len(wanted)} ports is used by another program")


def _listeners() -> dict[int, str]:
    """The programs that listen on ports, as far as this user may see them."""
    try:
        listeners = [
            connection
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.pid
        ]
        return {
            connection.laddr.port: f"{psutil.Process(connection.pid).name()} ({connection.pid})"
            for connection in listeners
            if connection.laddr
        }
    except psutil.Error:
        return {}


def _settings(settings: Settings, flags: Mapping[str, str]) -> Iterator[Check]:
    """Every setting that is not the default, and where it comes from; a password is not shown."""
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value != field.get_default(call_default_factory=True):
            # The options of Spark's address may hold a token.
            displayed = "(not shown)" if name in SECRETS else str(value).partition(";")[0]
            yield Check(True, f"setting {name} = {displayed}, from {origin(Settings, name, flags)}")
    if settings.hive_auth == "LDAP":
        try:
            settings.password()
        except UsageError as error:
            yield Check(False, str(error.args[0]), error.step)
    files = {value for name in Settings.model_fields if name.endswith("_file") and (value := getattr(settings, name))}
    files |= {Path(origin(Settings, name, flags)) for name in SECRETS if getattr(settings, name) is not None}
    for file in sorted(files):
        if file.exists() and file.stat().st_mode & 0o077:
            yield Check(False, f"{file} can be read by other users", f"chmod 600 {file}")


def _servers(settings: Settings, bar: Bar) -> Iterator[Check]:
    """Every server: its health and its version."""
    rows = health.status(settings)
    versions = health.versions(settings)
    with ThreadPoolExecutor() as pool:
        answers = {name: pool.submit(versions[name]) for name, *_, well in rows if well == health.HEALTHY}
        for name, address, where, well in bar.each(rows, lambda row: str(row[0])):
            version = answers[name].result() if name in answers else ""
            yield _check(
                well == health.HEALTHY,
                f"{name}{version and f' {version}'} at {address} ({where})",
                f"run ./warehouse up, or see {settings.home / 'logs'}",
            )


def _check(is_good: bool, text: str, step: str) -> Check:
    """A check whose step is given only for a fault."""
    return Check(is_good, text, "" if is_good else step)
