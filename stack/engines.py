"""The metastore and the engines on it: Spark and HiveServer2, their settings files and commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from etl.settings import PROJECT
from stack import parts
from stack.layout import (
    HOST,
    NAMESERVICE,
    QUICK_CLOSE,
    SMALL,
    Layout,
    Server,
    java,
    write_log4j,
    write_properties,
    write_xml,
)
from stack.probes import is_listening, web_answers

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


def client_conf(layout: Layout) -> Path:
    """The settings folder that the metastore, Spark and HiveServer2 share."""
    folder = layout.folder("conf", "client")
    write_log4j(folder)
    write_xml(folder / "core-site.xml", {"fs.defaultFS": f"hdfs://{NAMESERVICE}"})
    write_xml(
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
    write_xml(
        folder / "hive-site.xml",
        {
            "hive.metastore.uris": f"thrift://{layout.address('metastore')}",
            "hive.metastore.warehouse.dir": f"{layout.root}/managed",
            "hive.metastore.warehouse.external.dir": f"{layout.root}/external",
            "hive.metastore.connect.retries": 20,  # Spark starts beside the metastore; a reader waits as long
            "hive.metastore.client.connect.retry.delay": "1s",
            "hive.stats.column.autogather": "false",
            "hive.server2.thrift.bind.host": HOST,
            "hive.server2.thrift.port": layout.ports["spark-thrift"],
            "hive.server2.enable.doAs": "false",
            "hive.server2.long.polling.timeout": "500ms",  # a client that shows progress or a deadline hears that often
        },
    )
    return folder


def metastore(layout: Layout) -> Server:
    """The Hive metastore service on embedded Derby."""
    folder = layout.folder("conf", "metastore")
    write_log4j(folder)
    for name in ("core-site.xml", "hdfs-site.xml"):
        (folder / name).write_text((client_conf(layout) / name).read_text())
    database = layout.folder("data") / "metastore"
    write_xml(
        folder / "metastore-site.xml",
        {
            "metastore.thrift.uris": f"thrift://{layout.address('metastore')}",
            "metastore.thrift.bind.host": HOST,
            "metastore.warehouse.dir": f"{layout.root}/managed",
            "metastore.warehouse.external.dir": f"{layout.root}/external",
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
        java(
            ["-Xmx512m", *SMALL, *OPENED, derby],
            classes,
            "org.apache.hadoop.hive.metastore.HiveMetaStore",
            "-p",
            str(layout.ports["metastore"]),
        ),
        lambda: is_listening(layout.address("metastore")),
        environment=layout.identity,
    )


def spark(layout: Layout) -> Server:
    """One Spark process: Thrift Server (HiveServer2 protocol) and Spark Connect server."""
    folder = client_conf(layout)
    properties = folder / "spark.properties"
    jars = parts.SHARE / "spark"
    write_properties(
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
            "spark.sql.warehouse.dir": f"{layout.root}/managed",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.ansi.enabled": "false",  # Hive's rule: what cannot be cast is NULL
            "spark.sql.shuffle.partitions": 2 * (os.cpu_count() or 2),
            "spark.sql.sources.parallelPartitionDiscovery.threshold": 1000,  # list a table's days without a job
            # On Derby the metastore now and then cannot compare a numeric partition column, as Derby happens to plan:
            # it casts the values of other tables' partitions too. Then Spark takes all partitions and compares itself.
            "spark.sql.hive.metastorePartitionPruningFallbackOnException": "true",
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
        java(
            [
                "-Xmx2g",
                "-XX:+UseParallelGC",
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
            **layout.identity,
            "HADOOP_CONF_DIR": str(folder),
            "SPARK_CONF_DIR": str(folder),
            "SPARK_HOME": str(parts.pyspark_jars().parent),
            "SPARK_LOCAL_IP": HOST,
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(PROJECT),
        },
    )


def hiveserver2(layout: Layout) -> Server:
    """HiveServer2 with Tez inside its own process, without YARN, and its web page."""
    shared, folder = client_conf(layout), layout.folder("conf", "hiveserver2")
    write_log4j(folder)
    scratch = layout.folder("tmp", "hive")
    write_xml(
        folder / "hiveserver2-site.xml",
        {
            "hive.execution.engine": "tez",
            "tez.local.mode": "true",
            # Else Tez listens on every address, to talk to itself, and runs for anybody who talks to it. The price: a
            # statement that is cancelled ends when the DAG that it runs has ended.
            "tez.local.mode.without.network": "true",
            "tez.am.tez-ui.webservice.enable": "false",
            "tez.ignore.lib.uris": "true",
            "tez.runtime.optimize.local.fetch": "true",
            # One task at a time in this process, whoever asks: tasks share Hive's IOContextMap, and with two of them
            # counts came out wrong without a word, or queries failed. So one task in a Tez session, and one session
            # that all users take turns with.
            "tez.am.inline.task.execution.max-tasks": 1,
            "hive.server2.tez.initialize.default.sessions": "true",
            "hive.server2.tez.default.queues": "default",
            "hive.server2.tez.sessions.per.default.queue": 1,
            "hive.server2.tez.sessions.custom.queue.allowed": "false",
            "mapreduce.framework.name": "local",
            "tez.counters.max": 2000,  # its own 120 are fewer than a query of several parts counts
            "hive.exec.submit.local.task.via.child": "false",
            "hive.server2.thrift.port": layout.ports["hiveserver2"],
            "hive.server2.webui.host": HOST,
            "hive.server2.webui.port": layout.ports["hiveserver2-web"],
            "hive.server2.sleep.interval.between.start.attempts": "1s",  # it starts beside HDFS and the metastore
            "hive.server2.max.start.attempts": 60,
            "hive.server2.async.exec.async.compile": "true",  # a statement can be cancelled while it is compiled
            "hive.server2.materializedviews.registry.impl": "DUMMY",  # there are none, and looking takes seconds
            "hive.default.nulls.last": "false",  # as Spark orders
            "hive.compute.query.using.stats": "false",  # Spark writes files and leaves Hive's counts as they were
            "hive.exec.scratchdir": f"{layout.root}/.hive",
            "hive.exec.local.scratchdir": scratch,
            "hive.downloaded.resources.dir": scratch / "resources",
            "hive.server2.logging.operation.log.location": scratch / "operations",
        },
    )
    classes: list[str | Path] = [folder, shared, parts.SHARE / "hive" / "*"]
    options = ["-Xmx2g", "-XX:+UseParallelGC", *OPENED, f"-Djava.io.tmpdir={layout.folder('tmp')}"]
    derby = f"-Dderby.stream.error.file={layout.folder('logs') / 'hiveserver2-derby.log'}"
    return Server(
        "hiveserver2",
        ("hiveserver2", "hiveserver2-web"),
        java([*options, derby], classes, "org.apache.hive.service.server.HiveServer2"),
        lambda: is_listening(layout.address("hiveserver2")) and web_answers(layout.address("hiveserver2-web")),
        environment={**layout.identity, "HADOOP_CONF_DIR": str(shared)},
    )
