"""The sh script `warehouse` before any package is there: what it does about Python, pip and the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from etl.settings import PROJECT

TOOLS = ("sh", "dirname", "cmp", "cp", "echo")
OLD = "#!/bin/sh\nexit 1\n"  # what a Python says that is too old, or has no venv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PATH of its own, with the few tools that the script calls and no Python."""
    for tool in TOOLS:
        path = shutil.which(tool)
        assert path, tool
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(path)
    return tmp_path


def script(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text)
    path.chmod(0o755)


def start(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ./warehouse with only that PATH, and a virtual environment inside the folder."""
    given = {"PATH": str(folder / "bin"), "WAREHOUSE_VENV": str(folder / "venv"), "HOME": str(folder), **environment}
    return subprocess.run(
        [PROJECT / "warehouse", *words], capture_output=True, text=True, env=given, timeout=120, check=False
    )


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error, after nothing was printed to standard output."""
    assert done.returncode == 1 and done.stdout == "", (done.stdout, done.stderr)
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("warehouse: installing")]
    assert line.startswith("warehouse: ")
    return line


def test_no_python_is_told_in_one_line(folder: Path) -> None:
    line = error_line(start(folder, "status"))
    assert "no Python 3.11 or newer" in line and "WAREHOUSE_PYTHON" in line
    assert not (folder / "venv").exists()


def test_an_old_python_is_as_good_as_none(folder: Path) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        script(folder / "bin" / name, OLD)
    assert "no Python 3.11 or newer" in error_line(start(folder, "status"))


def test_a_named_python_that_is_missing_is_told(folder: Path) -> None:
    (folder / "bin" / "python3").symlink_to(sys.executable)
    assert "WAREHOUSE_PYTHON" in error_line(start(folder, "status", WAREHOUSE_PYTHON="python-of-nobody"))


def test_the_first_python_that_is_new_enough_is_used(folder: Path) -> None:
    script(folder / "bin" / "python3", OLD)
    stub = '#!/bin/sh\n[ "$1" = -c ] || echo "python3.12 $*" >> "$HOME/calls"\n[ "$1" = -c ]\n'
    script(folder / "bin" / "python3.12", stub)
    assert "could not make" in error_line(start(folder, "status"))
    assert (folder / "calls").read_text() == f"python3.12 -m venv {folder}/venv\n"


def test_a_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    (folder / "file").touch()
    line = error_line(start(folder, "status", WAREHOUSE_VENV=str(folder / "file" / "venv")))
    assert f"could not make {folder}/file/venv" in line


def test_a_pip_that_fails_names_its_log_and_is_tried_again(folder: Path) -> None:
    (folder / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    nowhere = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    for _ in range(2):
        done = start(folder, "status", **nowhere)
        assert f"see {folder}/venv/install.log" in error_line(done) and "check the network" in done.stderr
        assert "warehouse: installing the Python packages" in done.stderr
        assert "No matching distribution" in (folder / "venv" / "install.log").read_text()
    assert not (folder / "venv" / "requirements.lock").exists()


@pytest.fixture
def installed(folder: Path) -> Path:
    """A folder whose venv is complete; its Python says how it was called."""
    (folder / "venv" / "bin").mkdir(parents=True)
    script(folder / "venv" / "bin" / "python", '#!/bin/sh\necho "$PYTHONPATH"\nprintf "%s|" "$@"\nexit 3\n')
    shutil.copy(PROJECT / "requirements.lock", folder / "venv" / "requirements.lock")
    return folder


def test_arguments_and_exit_code_pass_through_unchanged(installed: Path) -> None:
    done = start(installed, "query", "SELECT 'a  b', \"*\"; $HOME", "", PYTHONPATH="/else")
    assert done.stdout == f"{PROJECT}:/else\n-m|etl|query|SELECT 'a  b', \"*\"; $HOME||"
    assert done.returncode == 3 and done.stderr == ""


def test_it_runs_from_any_folder_and_by_a_relative_name(installed: Path) -> None:
    given = {"PATH": str(installed / "bin"), "WAREHOUSE_VENV": str(installed / "venv"), "CDPATH": "/"}
    name = os.path.relpath(PROJECT / "warehouse", installed)
    done = subprocess.run([name], capture_output=True, text=True, env=given, cwd=installed, check=False)
    assert done.stdout.startswith(f"{PROJECT}\n")


@pytest.mark.parametrize("given", [{}, {"no_proxy": "intranet"}, {"NO_PROXY": "intranet"}])
def test_no_proxy_stands_before_the_servers_of_this_machine(installed: Path, given: dict[str, str]) -> None:
    script(installed / "venv" / "bin" / "python", '#!/bin/sh\necho "$no_proxy $NO_PROXY"\n')
    expected = "127.0.0.1,localhost,intranet" if given else "127.0.0.1,localhost"
    assert start(installed, "status", http_proxy="http://proxy:3128", **given).stdout == f"{expected} {expected}\n"


@pytest.mark.parametrize("change", ["an older lock", "no Python in it"])
def test_a_venv_that_is_not_the_locked_one_is_made_anew(installed: Path, change: str) -> None:
    if change == "an older lock":
        (installed / "venv" / "requirements.lock").write_text("pyspark==1.0\n")
    else:
        (installed / "venv" / "bin" / "python").unlink()
    assert "no Python 3.11 or newer" in error_line(start(installed, "status"))


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not on this machine")
def test_shellcheck_finds_nothing() -> None:
    subprocess.run(["shellcheck", PROJECT / "warehouse"], check=True)
