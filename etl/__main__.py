"""`python -m etl` is the command line."""

from __future__ import annotations

import signal

from etl.cli import main

signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started ends, too
main()
