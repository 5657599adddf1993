"""Apache Superset beside the stack: its own virtual environment, secrets, metadata and server, all below the home."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from etl.errors import WarehouseError
from etl.servers.logins import write_secret
from etl.settings import PROJECT, Settings
from etl.terminal import progress
from stack import logs, processes
from stack.layout import Layout, Server
from stack.probes import NO_ANSWER

NAME = "superset"
SOURCE = PROJECT / NAME
LOCK = SOURCE / "requirements.lock"
PYTHONS = ("python3.11", "python3.12")  # for which its packages have wheels
BYTES = 2 * 1024**3
WORKERS = 2
SECONDS = 330  # of a request: more than superset_config.py allows a statement


def folder(settings: Settings) -> Path:
    """The folder of the home where all of it is."""
    return settings.home / NAME


def password_file(settings: Settings) -> Path:
    """The file with the password of the user admin, readable by its owner alone."""
    return folder(settings) / "admin.password"


def version() -> str:
    """The version of the lock file."""
    match = re.search(r"^apache-superset==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else ""


def is_installed(settings: Settings) -> bool:
    """Whether the virtual environment holds the locked packages."""
    stamp = folder(settings) / "venv" / LOCK.name
    return stamp.exists() and stamp.read_bytes() == LOCK.read_bytes()


def is_healthy(address: str) -> bool:
    """Whether Superset answers at host:port."""
    with contextlib.suppress(*NO_ANSWER), urllib.request.urlopen(f"http://{address}/health", timeout=5) as answer:
        return bool(answer.read() == b"OK")
    return False


def start(
    settings: Settings, bundle: Callable[[Path], object], passwords: Mapping[str, str], say: Callable[[str], None]
) -> str:
    """Install what is missing, import the assets that `bundle` writes to a file, start the server; returns its address.

    `passwords` are those of the connections, by the names of their files. Raises WarehouseError naming the log of a
    step that fails.
    """
    with processes.exclusive(settings):
        folder(settings).mkdir(mode=0o700, exist_ok=True)  # the metadata hold hashes of passwords
        _install(settings, say)
        _write_secrets(settings)
        archive = folder(settings) / "assets.zip"
        bundle(archive)
        with progress("importing datasets, queries, charts and the dashboard"):
            script: list[str | Path] = [SOURCE / "provision.py", archive, password_file(settings)]
            _run(settings, [_python(settings), *script], "provision.log", json.dumps(passwords))
        _stop_outdated(settings)
        layout = processes.start(settings, server, say)
    return f"http://{layout.address(NAME)}"


def server(layout: Layout) -> Server:
    """The server, for browsers of this machine."""
    settings = layout.settings
    address = layout.address(NAME)
    words = ["-m", "gunicorn", "--bind", address, "--workers", WORKERS, "--timeout", SECONDS, "--no-control-socket"]
    return Server(
        NAME,
        (NAME,),
        [str(_python(settings)), *map(str, words), "superset.app:create_app()"],
        lambda: is_healthy(address),
        environment=_environment(settings),
    )


def _stop_outdated(settings: Settings) -> None:
    """Stop a server that was started before the lock file or the modules that it reads were changed."""
    running = processes.read(settings)["processes"].get(NAME)
    if running and max(path.stat().st_mtime for path in SOURCE.glob("*.*")) > running.began:
        processes.stop(running)


def _python(settings: Settings) -> Path:
    return folder(settings) / "venv" / "bin" / "python"


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "PYTHONPATH": str(SOURCE),
        "SUPERSET_CONFIG_PATH": str(SOURCE / "superset_config.py"),
        "SUPERSET_FOLDER": str(folder(settings)),
        "SUPERSET_HOME": str(folder(settings)),
        "FLASK_APP": "superset.app:create_app()",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _install(settings: Settings, say: Callable[[str], None]) -> None:
    """Create the virtual environment where it is missing or older than the lock file."""
    if is_installed(settings):
        return
    venv = folder(settings) / "venv"
    if shutil.disk_usage(venv.parent).free < BYTES:
        raise WarehouseError(f"less than 2 GB are free at {venv.parent}", "free some space, then run it again")
    say(f"installing Apache Superset {version()} into {venv} (once, 0.8 GB, about two minutes)")
    with progress("installing Superset"):
        _run(settings, [_base_python(), "-m", "venv", "--clear", venv], "install.log")
        pip: list[str | Path] = [
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--require-hashes",
            "--requirement",
            LOCK,
        ]
        _run(settings, [_python(settings), *pip], "install.log")
    shutil.copy(LOCK, venv)


def _base_python() -> str:
    """A Python that Superset runs on. Raises WarehouseError where there is none."""
    own = f"python3.{sys.version_info.minor}"
    if own in PYTHONS:
        return sys.executable
    if path := next(filter(None, map(shutil.which, PYTHONS)), None):
        return path
    raise WarehouseError(f"Apache Superset {version()} runs on Python 3.11 and 3.12", "install one of them")


def _write_secrets(settings: Settings) -> None:
    """Generate the key of sessions and stored passwords, and the administrator's password, once for a home."""
    for path in (folder(settings) / "secret.key", password_file(settings)):
        if not path.exists():
            write_secret(path, secrets.token_urlsafe(32))


def _run(settings: Settings, command: list[str | Path], log_name: str, text: str = "") -> None:
    log = settings.home / "logs" / f"superset-{log_name}"
    log.parent.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAREHOUSE_")}
    with log.open("wb") as out:
        run = subprocess.run(
            [str(word) for word in command],
            input=text.encode(),
            stdout=out,
            stderr=out,
            env={**inherited, **_environment(settings)},
            check=False,
        )
    if run.returncode:
        raise WarehouseError(f"Superset could not be set up: {logs.last_words(log)}", f"see {log}")


def checks(settings: Settings) -> Iterator[tuple[bool, str, str]]:
    """(is good, text, what to do) about the installation; nothing where there is none."""
    if not folder(settings).exists():
        return
    yield is_installed(settings), f"the packages of Superset {version()} are as locked", "run ./warehouse superset"
    for path in (folder(settings) / "secret.key", password_file(settings)):
        if path.exists() and path.stat().st_mode & 0o077:
            yield False, f"{path} can be read by other users", f"chmod 600 {path}"
