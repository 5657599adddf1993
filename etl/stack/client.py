"""The real beeline, run on the warehouse of the settings."""

from __future__ import annotations

import os
import re
import subprocess

from etl.errors import UsageError
from etl.settings import Settings
from etl.stack import parts

MAIN = "org.apache.hive.beeline.BeeLine"


def beeline(settings: Settings, arguments: list[str]) -> int:
    """Run beeline with these arguments, connected unless they say where to; returns its exit code.

    A password is handed over in the environment-free way beeline has: a file, `-w FILE`, given by the user.
    """
    if not re.fullmatch(r"[A-Za-z0-9.\-]+:[0-9]{1,5}", settings.hive_server):
        raise UsageError(f"setting hive_server cannot be {settings.hive_server!r}", "write host:port")
    where = [] if {"-u", "-p", "-r"} & set(arguments) else ["-u", f"jdbc:hive2://{settings.hive_server}/default"]
    who = [] if "-n" in arguments else ["-n", settings.hive_user]
    options = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.lang", "java.util", "java.net")]
    command = [str(parts.java()), *options, "-cp", f"{parts.pyspark_jars()}/*", MAIN, *where, *who, *arguments]
    return subprocess.run(command, env={**os.environ, "TZ": "UTC"}, check=False).returncode
