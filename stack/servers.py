"""The whole stack, and of it what stores: Kafka and HDFS, their settings files, commands and health."""

from __future__ import annotations

import uuid
from pathlib import Path

from stack import parts
from stack.customers_door import customers_door, logins
from stack.engines import hiveserver2, metastore, spark
from stack.layout import HOST, QUICK_CLOSE, SMALL, Layout, Server, java, write_log4j, write_properties, write_xml
from stack.probes import datanode_answers, hdfs_answers, kafka_answers


def all_servers(layout: Layout, engine: str, has_customers: bool = False) -> list[Server]:
    """The stack for an engine (spark, hive or all), in the order in which it is stopped backwards.

    Spark is part of each: it lands the messages. The door of the customers is part of it where they are.
    """
    answering = [spark(layout)] if engine == "spark" else [spark(layout), hiveserver2(layout)]
    if has_customers:
        answering += [*([] if layout.settings.customers_ldap else [logins(layout)]), customers_door(layout)]
    return [kafka(layout), *hdfs(layout), metastore(layout), *answering]


def kafka(layout: Layout) -> Server:
    """A broker that is its own KRaft controller."""
    folder = layout.folder("conf", "kafka")
    write_log4j(folder)
    properties = folder / "server.properties"
    write_properties(
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
            "log.retention.check.interval.ms": 10_000,  # how soon the bytes of erased messages leave the disk
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        },
    )
    classes: list[str | Path] = [folder, parts.SHARE / "kafka" / "*"]
    options = ["-Xmx512m", *SMALL]
    cluster = uuid.uuid4().hex[
        :22
    ]  # counts when the storage is formatted: it distinguishes a home's Kafka from any other
    command = java(options, classes, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties)
    return Server(
        "kafka",
        ("kafka", "kafka-controller"),
        java(options, classes, "kafka.Kafka", properties),
        lambda: kafka_answers(layout.address("kafka")),
        format=[[*command, "--ignore-formatted"]],
    )


def hdfs(layout: Layout) -> list[Server]:
    """NameNode and DataNode, with permissions enforced; the user they run as is HDFS's superuser."""
    folder = layout.folder("conf", "hdfs")
    write_log4j(folder)
    write_xml(
        folder / "core-site.xml",
        {
            "fs.defaultFS": f"hdfs://{layout.address('namenode')}",
            # Hive acts as a proxy of its own user for that user, and HDFS must allow even this.
            f"hadoop.proxyuser.{layout.user}.hosts": "*",
            f"hadoop.proxyuser.{layout.user}.groups": "*",
        },
    )
    data = layout.folder("data", "hdfs")
    name, draft = data / "name", data / "name.draft"  # its folder appears whole: a format may be interrupted
    write_xml(
        folder / "hdfs-site.xml",
        {
            "dfs.replication": 1,
            "dfs.namenode.name.dir": f"file://{name}",
            "dfs.datanode.data.dir": f"file://{data}/data",
            "dfs.namenode.rpc-address": layout.address("namenode"),
            "dfs.namenode.http-address": layout.address("namenode-web"),
            "dfs.datanode.address": layout.address("datanode"),
            "dfs.datanode.http.address": layout.address("datanode-web"),
            "dfs.datanode.ipc.address": layout.address("datanode-ipc"),
            "dfs.datanode.hostname": HOST,
            "dfs.namenode.safemode.extension": 0,
            "dfs.heartbeat.interval": 1,
            "dfs.webhdfs.rest-csrf.enabled": "true",  # a form of a web page cannot send the header this asks for
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
        java(options, classes, f"{package}.namenode.NameNode"),
        lambda: hdfs_answers(web, "Version"),
        format=[
            java(options, classes, f"{package}.namenode.NameNode", "-D", f"dfs.namenode.name.dir=file://{draft}")
            + ["-format", "-force"],
            ["sh", "-c", '[ -e "$1" ] || mv "$0" "$1"', str(draft), str(name)],
        ],
        environment=layout.identity,
    )
    datanode = Server(
        "datanode",
        ("datanode", "datanode-web", "datanode-ipc"),
        java(options, classes, f"{package}.datanode.DataNode"),
        lambda: datanode_answers(layout.address("datanode-web")) and hdfs_answers(web),
        environment=layout.identity,
    )
    return [namenode, datanode]
