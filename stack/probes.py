"""A health check for each kind of server."""

from __future__ import annotations

import contextlib
import email.utils
import json
import socket
import time
import urllib.request
from http.client import HTTPException
from typing import Any

# What an answer raises that does not come, breaks off, or is that of another kind of server.
NO_ANSWER = (OSError, ValueError, LookupError, TypeError, HTTPException)


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
    try:
        return bool(_metadata(bootstrap_servers).brokers)
    except Exception:
        return False


def kafka_cluster(bootstrap_servers: str) -> str:
    """The cluster's id and its brokers; a broker does not report its version. Raises KafkaException."""
    metadata = _metadata(bootstrap_servers)
    return f"cluster {metadata.cluster_id}, brokers: {len(metadata.brokers)},"


def _metadata(bootstrap_servers: str) -> Any:
    from confluent_kafka.admin import AdminClient

    quiet: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap_servers,
        "log_level": 0,
        "socket.timeout.ms": 2000,
    }
    return AdminClient(quiet, logger=None).list_topics(timeout=2)


def hdfs_answers(webhdfs: str, field_name: str = "LiveNodes") -> bool:
    """Whether the NameNode answers, is out of safe mode, and (for LiveNodes) has a DataNode."""
    try:
        info = _namenode(webhdfs)
        if field_name == "LiveNodes":
            return not info["Safemode"] and bool(json.loads(info["LiveNodes"]))
        return field_name in info
    except NO_ANSWER:
        return False


def hdfs_version(webhdfs: str) -> str:
    """The NameNode's version. Raises NO_ANSWER."""
    return str(_namenode(webhdfs)["SoftwareVersion"])


def datanode_versions(webhdfs: str) -> str:
    """The versions of the DataNodes that the NameNode knows. Raises NO_ANSWER."""
    nodes = json.loads(_namenode(webhdfs)["LiveNodes"]).values()
    return ", ".join(sorted({str(node["version"]) for node in nodes}))


def _namenode(webhdfs: str) -> Any:
    query = f"{webhdfs}/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo"
    with urllib.request.urlopen(query, timeout=2) as answer:  # noqa: S310
        return json.load(answer)["beans"][0]


def clock_skew(webhdfs: str) -> float | None:
    """How many seconds the NameNode's clock is ahead of this machine's; None where it does not answer."""
    try:
        with urllib.request.urlopen(f"{webhdfs}/jmx?qry=none", timeout=2) as answer:  # noqa: S310
            date = email.utils.parsedate_to_datetime(answer.headers["Date"])
    except NO_ANSWER:
        return None
    skew = date.timestamp() - time.time()
    return 0.0 if abs(skew) < 1 else skew  # its resolution is whole seconds


def metastore_version(address: str) -> str:
    """The version of a Hive metastore. Raises TException or OSError."""
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol
    from thrift.Thrift import TMessageType, TType
    from thrift.transport.TSocket import TSocket
    from thrift.transport.TTransport import TBufferedTransport

    host, _, port = address.rpartition(":")
    socket = TSocket(host, int(port))
    socket.setTimeout(2000)
    with contextlib.closing(TBufferedTransport(socket)) as transport:
        transport.open()
        protocol = TBinaryProtocol(transport)
        protocol.writeMessageBegin("getVersion", TMessageType.CALL, 0)
        protocol.writeFieldStop()  # it takes no argument
        protocol.writeMessageEnd()
        transport.flush()
        protocol.readMessageBegin()
        _, kind, _ = protocol.readFieldBegin()
        return str(protocol.readString()) if kind == TType.STRING else ""


def datanode_answers(address: str) -> bool:
    """Whether the DataNode at this web address is registered; the NameNode counts a dead one as alive for minutes."""
    query = f"http://{address}/jmx?qry=Hadoop:service=DataNode,name=DataNodeInfo"
    try:
        with urllib.request.urlopen(query, timeout=2) as answer:
            actors = json.loads(json.load(answer)["beans"][0]["BPServiceActorInfo"])
        return any(actor["ActorState"] == "RUNNING" and actor["BlockPoolID"] for actor in actors)
    except NO_ANSWER:
        return False
