"""The stack of the tests: started in the background, and ended with the tests however they end.

A process of its own, the keeper, starts the servers. It ends them as soon as its standard input is closed, which the
operating system does even where pytest was killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

from etl import settings as settings_module
from etl.errors import WarehouseError
from etl.settings import PROJECT, Settings
from stack import processes
from stack.layout import PORTS

ROOT, USER = "hdfs://warehouse/apps/exams", "analyst"  # not the defaults: the stack stands for a cluster somewhere else
READY = "the servers are healthy"


class OwnStack:
    """The servers, starting; `settings` waits for them."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="warehouse-tests-"))
        self._keeper = subprocess.Popen(
            [sys.executable, __file__, self.home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            start_new_session=True,  # Ctrl-C is for pytest
        )

    def settings(self) -> Settings:
        """The settings of the running stack; WarehouseError where a server did not start."""
        assert self._keeper.stdout
        lines = []
        for line in self._keeper.stdout:
            if line.strip() == READY:
                return settings_module.load(home=self.home)
            lines.append(line.strip())
        raise WarehouseError(f"the servers of the tests did not start: {' '.join(lines[-3:])}", f"see {self.home}/logs")

    def close(self, keep: bool) -> None:
        """End the servers; with `keep` their folder stays, for its logs."""
        self._keeper.communicate()  # closes its input
        processes.down(settings_module.load(home=self.home))  # in case that someone killed the keeper
        if not keep:
            shutil.rmtree(self.home, ignore_errors=True)


LOGS = pytest.StashKey[list[str]]()  # folders, of the stacks that were started


def keep(home: Path) -> int:
    """Start the servers, wait until standard input ends, end the servers; returns the exit code."""

    def wait_for_end() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
    threading.Thread(target=wait_for_end, daemon=True).start()
    settings = settings_module.load(home=home, ports={name: 0 for name in PORTS}, warehouse_root=ROOT, hdfs_user=USER)
    try:
        processes.up(settings, lambda line: print(line, flush=True), "all")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a server that a test kills is to be gone, not to be a zombie
        print(READY, flush=True)
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except WarehouseError as error:
        print(error, flush=True)
        return 1
    finally:
        processes.down(settings)
        for left in psutil.Process().children(recursive=True):  # started, but not yet recorded
            with contextlib.suppress(psutil.Error):
                left.kill()


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1])))
