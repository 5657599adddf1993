"""What each embedded server is: its ports, its settings files, the Java command that runs it, its health."""

from __future__ import annotations

import os
import socket
import sys
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from etl.settings import PROJECT
from etl.stack import parts

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
}
NAMESERVICE = "warehouse"  # a logical name: table locations in the metastore outlive a change of ports
ROOT = f"hdfs://{NAMESERVICE}/warehouse"

# A client that closes a file asks whether its last block is reported and then sleeps: 400 ms by default, which is
# nearly all the time that writing many small partitions takes. The delay doubles with each of the retries.
QUICK_CLOSE = {
    "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 5,
    "dfs.client.block.write.locateFollowingBlock.retries": 12,
}

SMALL = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]  # starts fast, on one core
OPENED = [
    f"--add-opens={module}/{package}=ALL-UNNAMED"
    for module, packages in {
        "java.base": "java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.text java.time "
        "java.util java.util.concurrent java.util.concurrent.atomic java.util.regex jdk.internal.ref sun.nio.ch "
        "sun.nio.cs sun.security.action sun.util.calendar",
        "java.sql": "java.sql",
    }.items()
    for package in packages.split()
]


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
    """Where the stack lives: its folder and its ports by name."""

    home: Path
    ports: Mapping[str, int]

    def address(self, name: str) -> str:
        """host:port of a port's name."""
        return f"{HOST}:{self.ports[name]}"

    @property
    def addresses(self) -> dict[str, str]:
        """The settings that make every command meet this stack."""
        return {
            "bootstrap_servers": self.address("kafka"),
            "warehouse_root": ROOT,
            "webhdfs": f"http://{self.address('namenode-web')}",
            "metastore": f"thrift://{self.address('metastore')}",
            "hive_server": self.address("spark-thrift"),
            "spark": f"sc://{self.address('spark-connect')}",
        }

    def folder(self, *names: str) -> Path:
        """A folder of the stack, made when missing."""
        path = self.home.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path


def _java(options: list[str], classes: list[str | Path], main: str, *arguments: str | Path) -> list[str]:
    path = os.pathsep.join(str(entry) for entry in classes)
    utc = ["-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-Djava.net.preferIPv4Stack=true"]
    return [str(parts.java()), *options, *utc, "-cp", path, main, *map(str, arguments)]


def _xml(path: Path, properties: Mapping[str, Any]) -> None:
    rows = "".join(
        f"  <property><name>{escape(name)}</name><value>{escape(str(value))}</value></property>\n"
        for name, value in properties.items()
    )
    path.write_text(f'<?xml version="1.0"?>\n<configuration>\n{rows}</configuration>\n')


def _properties(path: Path, properties: Mapping[str, Any]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))


def _log4j(folder: Path) -> None:
    _properties(
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
    import json

    query = f"{webhdfs}/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo"
    try:
        with urllib.request.urlopen(query, timeout=2) as answer:  # noqa: S310
            info = json.load(answer)["beans"][0]
    except (OSError, ValueError, LookupError):
        return False
    if field_name == "LiveNodes":
        return not info["Safemode"] and bool(json.loads(info["LiveNodes"]))
    return field_name in info


def kafka(layout: Layout) -> Server:
    """A broker that is its own KRaft controller."""
    folder = layout.folder("conf", "kafka")
    _log4j(folder)
    properties = folder / "server.properties"
    _properties(
        properties,
        {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{layout.address('kafka-controller')}",
            "listeners": f"PLAINTEXT://{layout.address('kafka')},CONTROLLER://{layout.address('kafka-controller')}",
            "advertised.listeners": f"PLAINTEXT://{layout.address('kafka')}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": layout.folder("data") / "kafka",
            "log.retention.ms": -1,  # the topic is the source of truth: nothing is thrown away
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        },
    )
    classes: list[str | Path] = [folder, parts.SHARE / "kafka" / "*"]
    options = ["-Xmx512m", *SMALL]
    cluster = uuid.uuid5(uuid.NAMESPACE_URL, "warehouse").hex[:22]
    made = _java(options, classes, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties)
    return Server(
        "kafka",
        ("kafka", "kafka-controller"),
        _java(options, classes, "kafka.Kafka", properties),
        lambda: kafka_answers(layout.address("kafka")),
        format=[[*made, "--ignore-formatted"]],
    )


def hdfs(layout: Layout) -> list[Server]:
    """NameNode and DataNode, with permissions enforced; the user who starts them is HDFS's superuser."""
    folder = layout.folder("conf", "hdfs")
    _log4j(folder)
    _xml(folder / "core-site.xml", {"fs.defaultFS": f"hdfs://{layout.address('namenode')}"})
    data = layout.folder("data", "hdfs")
    _xml(
        folder / "hdfs-site.xml",
        {
            "dfs.replication": 1,
            "dfs.namenode.name.dir": f"file://{data}/name",
            "dfs.datanode.data.dir": f"file://{data}/data",
            "dfs.namenode.rpc-address": layout.address("namenode"),
            "dfs.namenode.http-address": layout.address("namenode-web"),
            "dfs.datanode.address": layout.address("datanode"),
            "dfs.datanode.http.address": layout.address("datanode-web"),
            "dfs.datanode.ipc.address": layout.address("datanode-ipc"),
            "dfs.datanode.hostname": HOST,
            "dfs.namenode.safemode.extension": 0,
            "dfs.heartbeat.interval": 1,
            **QUICK_CLOSE,
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
        },
    )
    classes: list[str | Path] = [folder, parts.SHARE / "hadoop" / "*", parts.pyspark_jars() / "*"]
    options = ["-Xmx256m", *SMALL]
    package = "org.apache.hadoop.hdfs.server"
    web = f"http://{layout.address('namenode-web')}"
    namenode = Server(
        "namenode",
        ("namenode", "namenode-web"),
        _java(options, classes, f"{package}.namenode.NameNode"),
        lambda: hdfs_answers(web, "Version"),
        format=[_java(options, classes, f"{package}.namenode.NameNode", "-format", "-nonInteractive")],
    )
    datanode = Server(
        "datanode",
        ("datanode", "datanode-web", "datanode-ipc"),
        _java(options, classes, f"{package}.datanode.DataNode"),
        lambda: hdfs_answers(web),
    )
    return [namenode, datanode]


def client_conf(layout: Layout) -> Path:
    """The settings folder that the metastore, Spark and beeline share."""
    folder = layout.folder("conf", "client")
    _log4j(folder)
    _xml(folder / "core-site.xml", {"fs.defaultFS": f"hdfs://{NAMESERVICE}"})
    _xml(
        folder / "hdfs-site.xml",
        {
            "dfs.nameservices": NAMESERVICE,
            f"dfs.ha.namenodes.{NAMESERVICE}": "nn1",
            f"dfs.namenode.rpc-address.{NAMESERVICE}.nn1": layout.address("namenode"),
            f"dfs.client.failover.proxy.provider.{NAMESERVICE}": "org.apache.hadoop.hdfs.server.namenode.ha."
            "ConfiguredFailoverProxyProvider",
            "dfs.client.failover.max.attempts": 3,
            **QUICK_CLOSE,
            "dfs.replication": 1,
        },
    )
    _xml(
        folder / "hive-site.xml",
        {
            "hive.metastore.uris": f"thrift://{layout.address('metastore')}",
            "hive.metastore.warehouse.dir": f"{ROOT}/managed",
            "hive.metastore.warehouse.external.dir": f"{ROOT}/external",
            "hive.metastore.connect.retries": 60,  # Spark starts beside the metastore and waits for it
            "hive.metastore.client.connect.retry.delay": "1s",
            "hive.stats.column.autogather": "false",
            "hive.server2.thrift.bind.host": HOST,
            "hive.server2.thrift.port": layout.ports["spark-thrift"],
            "hive.server2.enable.doAs": "false",
        },
    )
    return folder


def metastore(layout: Layout) -> Server:
    """The Hive metastore service on embedded Derby."""
    folder = layout.folder("conf", "metastore")
    _log4j(folder)
    for name in ("core-site.xml", "hdfs-site.xml"):
        (folder / name).write_text((client_conf(layout) / name).read_text())
    database = layout.folder("data") / "metastore"
    _xml(
        folder / "metastore-site.xml",
        {
            "metastore.thrift.uris": f"thrift://{layout.address('metastore')}",
            "metastore.thrift.bind.host": HOST,
            "metastore.warehouse.dir": f"{ROOT}/managed",
            "metastore.warehouse.external.dir": f"{ROOT}/external",
            "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={database};create=true",
            "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
            "datanucleus.schema.autoCreateAll": "true",
            "metastore.schema.verification": "false",
            "metastore.expression.proxy": "org.apache.hadoop.hive.ql.optimizer.ppr.PartitionExpressionForMetastore",
            "metastore.metastore.event.db.notification.api.auth": "false",
            "metastore.stats.auto.analyze": "none",
        },
    )
    classes: list[str | Path] = [folder, parts.SHARE / "hive" / "*"]
    derby = f"-Dderby.stream.error.file={layout.folder('logs') / 'derby.log'}"
    return Server(
        "metastore",
        ("metastore",),
        _java(
            ["-Xmx512m", *SMALL, *OPENED, derby],
            classes,
            "org.apache.hadoop.hive.metastore.HiveMetaStore",
            "-p",
            str(layout.ports["metastore"]),
        ),
        lambda: is_listening(layout.address("metastore")),
    )


def spark(layout: Layout) -> Server:
    """One Spark process: Thrift Server (HiveServer2 protocol) and Spark Connect server."""
    folder = client_conf(layout)
    properties = folder / "spark.properties"
    jars = parts.SHARE / "spark"
    _properties(
        properties,
        {
            "spark.master": f"local[{os.cpu_count()}]",
            "spark.app.name": "warehouse",
            "spark.driver.host": HOST,
            "spark.driver.bindAddress": HOST,
            "spark.ui.enabled": "false",
            "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
            "spark.connect.grpc.binding.address": HOST,
            "spark.connect.grpc.binding.port": layout.ports["spark-connect"],
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.hive.metastore.version": "4.0.1",
            "spark.sql.hive.metastore.jars": "path",
            "spark.sql.hive.metastore.jars.path": f"file://{parts.SHARE}/hive/*.jar",
            "spark.sql.warehouse.dir": f"{ROOT}/managed",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.ansi.enabled": "false",  # Hive's rule: what cannot be cast is NULL
            "spark.sql.shuffle.partitions": 2 * (os.cpu_count() or 2),
            "spark.sql.sources.parallelPartitionDiscovery.threshold": 1000,  # list a table's days without a job
            "spark.sql.maxConcurrentOutputFileWriters": 200,  # no sort before a write into partitions
            "spark.sql.thriftServer.incrementalCollect": "false",
            "spark.local.dir": layout.folder("tmp"),
        },
    )
    classes: list[str | Path] = [folder, jars / "*", parts.pyspark_jars() / "*"]
    thrift, connect = layout.address("spark-thrift"), layout.address("spark-connect")
    return Server(
        "spark",
        ("spark-thrift", "spark-connect"),
        _java(
            [
                "-Xmx2g",
                "-XX:+UseParallelGC",
                "-XX:TieredStopAtLevel=1",
                *OPENED,
                f"-Djava.io.tmpdir={layout.folder('tmp')}",
            ]
            + [
                "-Dio.netty.tryReflectionSetAccessible=true",
                f"-Dderby.stream.error.file={layout.folder('logs') / 'spark-derby.log'}",
            ],
            classes,
            "org.apache.spark.deploy.SparkSubmit",
            *("--properties-file", properties),
            *("--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"),
        ),
        lambda: is_listening(thrift) and is_listening(connect),
        environment={
            "HADOOP_CONF_DIR": str(folder),
            "SPARK_CONF_DIR": str(folder),
            "SPARK_HOME": str(parts.pyspark_jars().parent),
            "SPARK_LOCAL_IP": HOST,
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(PROJECT),
        },
    )


def all_servers(layout: Layout) -> list[Server]:
    """The whole stack, in the order in which it is stopped backwards."""
    return [kafka(layout), *hdfs(layout), metastore(layout), spark(layout)]
