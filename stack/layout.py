"""Where the embedded stack is: its ports, its folders, and the form of a server and of its settings files."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from etl.servers.logins import write_secret
from etl.settings import Settings
from stack import parts

HOST = "127.0.0.1"
PORTS = {
    "kafka": 9092,
    "kafka-controller": 9093,
    "namenode": 8020,
    "namenode-web": 9870,
    "datanode": 9866,
    "datanode-web": 9864,
    "datanode-ipc": 9867,
    "metastore": 9083,
    "spark-thrift": 10000,
    "spark-connect": 15002,
    "spark-web": 4040,
    "hiveserver2": 10001,
    "customers": 10002,
    "logins": 10389,
    "superset": 8088,
}
NAMESERVICE = "warehouse"  # a logical name: table locations in the metastore outlive a change of ports

# A client that closes a file polls whether its last block is reported, and then sleeps: 400 ms by default, which is
# nearly all the time that writing many small partitions takes. The delay doubles with each of the retries.
QUICK_CLOSE = {
    "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 5,
    "dfs.client.block.write.locateFollowingBlock.retries": 12,
}
SMALL = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]  # starts fast, on one core


@dataclass(frozen=True)
class Server:
    """One process of the stack."""

    name: str
    ports: tuple[str, ...]  # names in PORTS; the first is the one users meet
    command: list[str]
    is_healthy: Callable[[], bool]
    format: list[list[str]] = field(default_factory=list)  # run once, before the first start
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Where the stack is: the settings it is made from and its ports by name."""

    settings: Settings
    ports: Mapping[str, int]

    @property
    def user(self) -> str:
        """The user that the servers are on HDFS: its superuser, and the owner of the warehouse."""
        return self.settings.hdfs_user

    @property
    def identity(self) -> dict[str, str]:
        """The variables that make a Java program that user, on an HDFS that requires no password."""
        return {"HADOOP_USER_NAME": self.user}

    @property
    def root(self) -> str:
        """The HDFS folder of all tables."""
        return self.settings.warehouse_root

    def address(self, name: str) -> str:
        """host:port of a port's name."""
        return f"{HOST}:{self.ports[name]}"

    @property
    def addresses(self) -> dict[str, str]:
        """The settings that make every command meet this stack."""
        return {
            "bootstrap_servers": self.address("kafka"),
            "warehouse_root": self.root,
            "webhdfs": f"http://{self.address('namenode-web')}",
            "hdfs_user": self.user,
            "metastore": f"thrift://{self.address('metastore')}",
            "spark_thrift": self.address("spark-thrift"),
            "spark": f"sc://{self.address('spark-connect')}",
            "spark_web": f"http://{self.address('spark-web')}",
            "spark_token_file": str(self.token_file),
            "hiveserver2": self.address("hiveserver2"),
            "customers_door": self.address("customers"),
        }

    @property
    def token_file(self) -> Path:
        """The file of the home that holds the token."""
        return self.settings.home / "spark.token"

    @property
    def token(self) -> str:
        """What Spark Connect and Spark's web page require of their clients, generated once for a home."""
        if not self.token_file.exists():
            write_secret(self.token_file, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="))
        return self.token_file.read_text(encoding="utf-8")

    def folder(self, *names: str) -> Path:
        """A folder of the stack, made when missing."""
        path = self.settings.home.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path


def java(options: list[str], classes: list[str | Path], main: str, *arguments: str | Path) -> list[str]:
    """The command that runs a Java program, in UTC and over IPv4."""
    path = os.pathsep.join(str(entry) for entry in classes)
    utc = ["-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-Djava.net.preferIPv4Stack=true"]
    return [str(parts.java()), *options, *utc, "-cp", path, main, *map(str, arguments)]


def write_xml(path: Path, properties: Mapping[str, Any], is_secret: bool = False) -> None:
    """Write a settings file in Hadoop's form; one with a secret can be read by its user alone."""
    rows = "".join(
        f"  <property><name>{escape(name)}</name><value>{escape(str(value))}</value></property>\n"
        for name, value in properties.items()
    )
    text = f'<?xml version="1.0"?>\n<configuration>\n{rows}</configuration>\n'
    _write(path, text, is_secret)


def write_properties(path: Path, properties: Mapping[str, Any], is_secret: bool = False) -> None:
    """Write a settings file of key=value lines; one with a secret can be read by its user alone."""
    text = "".join(f"{name}={value}\n" for name, value in properties.items())
    _write(path, text, is_secret)


def _write(path: Path, text: str, is_secret: bool) -> None:
    if is_secret:
        write_secret(path, text)
    else:
        path.write_text(text)


def write_log4j(folder: Path) -> None:
    """Send a server's warnings to its standard error, which is its log."""
    write_properties(
        folder / "log4j2.properties",
        {
            "rootLogger.level": "warn",
            "rootLogger.appenderRef.stderr.ref": "stderr",
            "appender.stderr.type": "Console",
            "appender.stderr.name": "stderr",
            "appender.stderr.target": "SYSTEM_ERR",
            "appender.stderr.layout.type": "PatternLayout",
            "appender.stderr.layout.pattern": "%d{yyyy-MM-dd HH:mm:ss.SSS} %p %c: %m%n",
        },
    )
