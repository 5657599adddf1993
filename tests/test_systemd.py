"""The units of systemd/: systemd itself accepts them, with this folder in place of the one that they name."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from etl.settings import PROJECT

UNITS = sorted((PROJECT / "systemd").iterdir())


def verified(folder: Path, change: tuple[str, str] = ("", "")) -> str:
    """What `systemd-analyze verify` says about the units, changed."""
    for unit in UNITS:
        text = (
            unit.read_text().replace("/opt/warehouse", str(PROJECT)).replace("=warehouse\n", f"={getpass.getuser()}\n")
        )
        (folder / unit.name).write_text(text.replace(*change))
    command = ["systemd-analyze", "verify", *(folder / unit.name for unit in UNITS)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    assert verified(tmp_path) == ""
    assert "Requirez" in verified(tmp_path, ("Requires", "Requirez"))
    assert "not executable" in verified(tmp_path, (f"{PROJECT}/warehouse check", "/nowhere/warehouse check"))


def test_the_page_names_every_unit() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert UNITS and all(unit.name in page for unit in UNITS)
