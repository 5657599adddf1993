"""Hive's beeline, run on the warehouse of the settings."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from etl.errors import UsageError
from etl.settings import Settings
from stack import parts

MAIN = "org.apache.hive.beeline.BeeLine"


def beeline(settings: Settings, arguments: list[str]) -> int:
    """Run beeline with these arguments, connected by the settings unless they name a server; returns its exit code.

    A password goes into a file that only this user can read, never into the command line. With Kerberos beeline
    needs the server's whole principal: UsageError without a `-u` that holds it.
    """
    if not re.fullmatch(r"[A-Za-z0-9.\-]+:[0-9]{1,5}", settings.sql_server):
        raise UsageError(f"beeline cannot use the address {settings.sql_server!r}", "write host:port")
    options = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.lang", "java.util", "java.net")]
    command = [str(parts.java()), *options, "-cp", f"{parts.pyspark_jars()}/*", MAIN]
    with tempfile.TemporaryDirectory() as name:
        connected = {"-u", "-p", "-r"} & set(arguments)
        where = [] if connected else ["-u", _address(settings, Path(name))]
        who = [] if "-n" in arguments else ["-n", settings.hive_user]
        secret = _password_file(settings, Path(name)) if settings.hive_auth == "LDAP" and not connected else []
        return subprocess.run(
            [*command, *where, *who, *secret, *arguments], env={**os.environ, "TZ": "UTC"}, check=False
        ).returncode


def _address(settings: Settings, folder: Path) -> str:
    """The JDBC address of the engine, with what the driver must know of TLS and login."""
    address = f"jdbc:hive2://{settings.sql_server}/default"
    if settings.hive_auth == "KERBEROS":
        raise UsageError("beeline needs the server's principal", f"give -u '{address};principal=hive/host@REALM'")
    if settings.hive_auth == "NOSASL":
        address += ";auth=noSasl"
    if settings.hive_tls:
        if not settings.hive_tls_verify:
            raise UsageError("beeline cannot skip the check of a certificate", "name hive_tls_ca")
        from etl.servers.hive_session import tls

        store, password = parts.trust_store(folder, tls(settings))
        address += f";ssl=true;sslTrustStore={store};trustStorePassword={password}"
    return address


def _password_file(settings: Settings, folder: Path) -> list[str]:
    password = settings.password()
    if re.search(r"\s", password) or password[:1] + password[-1:] in ("''", '""'):  # beeline splits it and unquotes it
        raise UsageError("beeline takes no password with blanks or within quotation marks", "use ./warehouse query")
    path = folder / "password"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(password)
    return ["-w", str(path)]
