"""What a run was measured on: cores, memory, system, versions. Nothing that names the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import psutil

from stack import parts

PACKAGES = ("pyspark", "duckdb", "confluent-kafka", "msgspec", "great-expectations", "pyarrow")
JARS = {
    "kafka": ("kafka", "kafka_2.13"),
    "hadoop": ("hadoop", "hadoop-client-minicluster"),
    "hive": ("hive", "hive-exec"),
}


def described() -> dict[str, Any]:
    """Cores, memory, system and versions; the load before the run, and its niceness."""
    jars = {(jar.part, jar.artifact): jar.version for jar in parts.locked()}
    servers = {name: jars[place] for name, place in JARS.items() if place in jars}
    packages = {name: _version(name) for name in PACKAGES}
    return {
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "versions": {
            "python": platform.python_version(),
            "java": str(parts.java_version(parts.java())),
            **servers,
            **{name: version for name, version in packages.items() if version},
        },
        "load_before": load(),
        "niceness": os.nice(0),
    }


def load() -> float:
    """The load of the last minute."""
    return round(os.getloadavg()[0], 2)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
