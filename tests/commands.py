"""Commands as a user types them: ./warehouse, and the arguments of beeline for a file of SQL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from etl.servers.hdfs import Hdfs
from etl.settings import PROJECT, Settings
from etl.sqlfile import SqlFile
from etl.store import landings
from etl.store.ledger import Ledger

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def runner(variables: dict[str, str]) -> Run:
    """A function that runs ./warehouse with these variables; `code` is the expected exit code."""

    def call(*words: str, code: int = 0, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **variables, "NO_COLOR": "1"}
        raw = subprocess.run(
            [PROJECT / "warehouse", *words], input=stdin, capture_output=True, env=environment, timeout=900, check=False
        )
        done = subprocess.CompletedProcess(raw.args, raw.returncode, raw.stdout.decode(), raw.stderr.decode())
        assert done.returncode == code, f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call


def beeline_words(settings: Settings, file: SqlFile) -> list[str]:
    """The arguments of beeline for a file with its declared variables: newest landing, published release."""
    hdfs = Hdfs(settings)
    seen, published = landings.current(hdfs), Ledger(hdfs).state().published
    assert published
    newest = seen.folders[-1]
    folder = {"folder_compaction": str(newest.compaction), "folder_landing": str(newest.last)}
    release = {"release": str(published.release), "landing": str(published.landing), "hashes": "none"}
    given = {"warehouse_root": settings.warehouse_root, **seen.parameters, **folder, **release}
    variables = (word for name in file.parameters for word in ("--hivevar", f"{name}={given[name]}"))
    return ["-f", str(file.path), *variables]
