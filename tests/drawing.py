"""Runs a program at a terminal of 100 columns, and reads what it draws there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios

from etl.settings import PROJECT


def start(words: list[str], stderr: int, **variables: str) -> subprocess.Popen[bytes]:
    """Start a Python of this project."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    given = {**kept, "PYTHONPATH": str(PROJECT), "TERM": "xterm-256color", **variables}
    command = [sys.executable, *words]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=given)


def drawn(words: list[str], interrupt_after: str = "", **variables: str) -> tuple[int, str, str]:
    """Run it with a terminal of 100 columns as standard error: exit code, standard output, what was drawn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    running = start(words, theirs, **variables)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
            if interrupt_after and interrupt_after in seen.decode(errors="ignore"):
                running.send_signal(signal.SIGINT)
                interrupt_after = ""
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    output, _ = running.communicate(timeout=60)
    return running.returncode, output.decode(), seen.decode()


def frames(seen: str) -> list[str]:
    """The lines that were drawn, one after the other over the same place, without colours."""
    pieces = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen))
    return [piece.strip() for piece in pieces if piece.strip()]
