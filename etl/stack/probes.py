"""One question per kind of server that tells whether it is well."""

from __future__ import annotations

import json
import socket
import urllib.request


def is_listening(address: str) -> bool:
    """Whether something accepts connections at host:port."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except (OSError, ValueError, OverflowError):  # no server, or no such address
        return False


def kafka_answers(bootstrap_servers: str) -> bool:
    """Whether a broker answers with its metadata."""
    from confluent_kafka.admin import AdminClient

    quiet: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap_servers,
        "log_level": 0,
        "socket.timeout.ms": 2000,
    }
    try:
        return bool(AdminClient(quiet, logger=None).list_topics(timeout=2).brokers)
    except Exception:
        return False


def hdfs_answers(webhdfs: str, field_name: str = "LiveNodes") -> bool:
    """Whether the NameNode answers, is out of safe mode, and (for LiveNodes) has a DataNode."""
    query = f"{webhdfs}/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo"
    try:
        with urllib.request.urlopen(query, timeout=2) as answer:  # noqa: S310
            info = json.load(answer)["beans"][0]
    except (OSError, ValueError, LookupError):
        return False
    if field_name == "LiveNodes":
        return not info["Safemode"] and bool(json.loads(info["LiveNodes"]))
    return field_name in info


def datanode_answers(address: str) -> bool:
    """Whether the DataNode at this web address is registered; the NameNode thinks long of a dead one that it lives."""
    query = f"http://{address}/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo"
    try:
        with urllib.request.urlopen(query, timeout=2) as answer:
            actors = json.loads(json.load(answer)["beans"][0]["BPServiceActorInfo"])
    except (OSError, ValueError, LookupError):
        return False
    return any(actor["ActorState"] == "RUNNING" and actor["BlockPoolID"] for actor in actors)


def web_answers(address: str) -> bool:
    """Whether a web server answers at host:port, whatever it says."""
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=2):
            return True
    except (OSError, ValueError):
        return False
