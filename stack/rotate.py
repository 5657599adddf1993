"""Copies standard input to a log and starts a new file before it grows too large: `python rotate.py LOG`.

One process per server, so that whatever the server writes is bounded, also what its own logging does not control. It
ends with the server, and imports nothing that takes memory.
"""

from __future__ import annotations

import os
import sys

MOST_BYTES = 10 << 20  # of a file
KEPT = 3  # older files: LOG.1 is the newest of them


def copy(log: str, most: int = MOST_BYTES, kept: int = KEPT) -> None:
    """Copy until standard input ends. What a full disk prevents is left out."""
    while chunk := os.read(sys.stdin.fileno(), 1 << 16):  # at most what a pipe holds
        try:
            if os.path.exists(log) and os.path.getsize(log) + len(chunk) > most:  # noqa: PTH110, PTH202
                for number in range(kept, 0, -1):
                    older = f"{log}.{number - 1}" if number > 1 else log
                    if os.path.exists(older):  # noqa: PTH110
                        os.replace(older, f"{log}.{number}")  # noqa: PTH105
            with open(log, "ab") as file:  # noqa: PTH123
                file.write(chunk)
        except OSError:
            continue


if __name__ == "__main__":
    copy(sys.argv[1], *map(int, sys.argv[2:]))
