"""The metastore and the engines on it: Spark and HiveServer2, their settings files and commands."""

from __future__ import annotations

import math
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from etl.servers.logins import ADMIN
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
from stack.probes import is_listening

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

SESSIONS = ("thriftserver", "connect", "classic")  # kinds of Spark's
LEXER = "org/apache/hive/hplsql/HplsqlLexer.class"
# They call any Java method, or read files of the server's machine and addresses that it reaches.
XPATHS = ("", "_boolean", "_double", "_float", "_int", "_long", "_number", "_short", "_string")
REFUSED_FUNCTIONS = ("reflect", "reflect2", "java_method", "in_file", *(f"xpath{kind}" for kind in XPATHS))


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
            # Scratch folders are open to all users (733), and so would be the folders above them.
            "hive.exec.scratchdir": f"hdfs://{NAMESERVICE}/tmp/hive",  # noqa: S108 (on HDFS)
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
            "metastore.users.in.admin.role": ADMIN,
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
            **_page(layout),
            "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
            "spark.connect.authenticate.token": layout.token,
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
            # Files between the stages of a query go with it, those of INSERT when memory is collected: they hold rows,
            # and an erasure must leave none.
            "spark.cleaner.periodicGC.interval": "1min",
            **{f"spark.sql.{kind}.shuffleDependency.fileCleanup.enabled": "true" for kind in SESSIONS},
            "spark.sql.maxConcurrentOutputFileWriters": 200,  # no sort before a write into partitions
            **_limits(layout),
            "spark.local.dir": layout.folder("tmp"),
        },
        is_secret=True,
    )
    classes: list[str | Path] = [folder, jars / "*", parts.pyspark_jars() / "*"]
    thrift, connect = layout.address("spark-thrift"), layout.address("spark-connect")
    return Server(
        "spark",
        ("spark-thrift", "spark-connect", "spark-web"),
        java(
            [
                "-Xmx2g",
                "-XX:+UseParallelGC",
                # A statement that fills the heap fails after seconds; else no query gets an answer for minutes.
                "-XX:GCTimeLimit=50",
                "-XX:GCHeapFreeLimit=20",
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


def _page(layout: Layout) -> dict[str, str]:
    """Spark's web page, which lists running statements and ends them, for holders of the token."""
    return {
        "spark.ui.enabled": "true",
        "spark.ui.port": str(layout.ports["spark-web"]),
        "spark.port.maxRetries": "0",
        "spark.ui.showConsoleProgress": "false",
        "spark.ui.threadDumpsEnabled": "false",
        "spark.ui.filters": "org.apache.spark.ui.JWSFilter",
        "spark.org.apache.spark.ui.JWSFilter.param.secretKey": layout.token,
    }


def _limits(layout: Layout) -> dict[str, str]:
    """Limits that keep one statement from ending or blocking the server for everybody."""
    return {
        "spark.driver.maxResultSize": f"{layout.settings.result_megabytes}m",
        "spark.sql.thriftServer.incrementalCollect": "false",
        "spark.sql.thriftServer.interruptOnCancel": "true",
        "spark.sql.thriftServer.queryTimeout": f"{math.ceil(layout.settings.hive_query_seconds)}s",
        # A task that runs out of memory fails; by default it ends the process, here the whole server.
        "spark.executor.killOnFatalError.depth": "0",
        # A collection of garbage that takes two minutes would have the only executor removed, which cannot come back:
        # it ends the process ten minutes later.
        "spark.network.timeout": "86400s",
        "spark.executor.heartbeat.maxFailures": str(2**31 - 1),
    }


def without_shell(jar: Path, copy: Path) -> Path:
    """Copy Hive's procedural language without its lexer.

    A session opened with `set:hivevar:mode=HPLSQL` can run `HOST 'command'` as the server's user, and no setting
    forbids it. Without the whole jar HiveServer2 runs no statement; without this class it runs all but that language.
    """
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if entry.filename != LEXER:
                target.writestr(entry, source.read(entry))
    return copy


def hive_jars(folder: Path) -> list[str | Path]:
    """The jars of HiveServer2, one of them as a copy in the folder that gives no shell."""
    jars = sorted((parts.SHARE / "hive").glob("*.jar"))
    return [without_shell(jar, folder / jar.name) if jar.name.startswith("hive-hplsql-") else jar for jar in jars]


def hiveserver2(layout: Layout) -> Server:
    """HiveServer2 with Tez inside its own process, without YARN.

    Its web page is off: nothing but Kerberos or PAM keeps its configuration and logs from other users.
    """
    shared, folder = client_conf(layout), layout.folder("conf", "hiveserver2")
    write_log4j(folder)
    write_xml(folder / "hiveserver2-site.xml", hive_properties(layout, "hiveserver2", layout.folder("tmp", "hive")))
    return hive_server(layout, "hiveserver2", folder, shared)


def hive_properties(layout: Layout, port: str, scratch: Path) -> dict[str, Any]:
    """The settings of a HiveServer2 that listens on a port of the stack."""
    return {
        "hive.execution.engine": "tez",
        "tez.local.mode": "true",
        # Else Tez listens on every address, to talk to itself, and runs for anybody who talks to it. The price: a
        # statement that is cancelled ends when the DAG that it runs has ended.
        "tez.local.mode.without.network": "true",
        "tez.am.tez-ui.webservice.enable": "false",
        "tez.ignore.lib.uris": "true",
        "tez.runtime.optimize.local.fetch": "true",
        "tez.dag.recovery.enabled": "false",  # its logs on HDFS hold statements, with the ids of erased attempts
        # One task at a time in this process, for all users: tasks share Hive's IOContextMap, and with two of them
        # counts were wrong without an error, or queries failed. So one task in a Tez session, and one session
        # that all users share in turn.
        "tez.am.inline.task.execution.max-tasks": 1,
        "hive.server2.tez.initialize.default.sessions": "true",
        "hive.server2.tez.default.queues": "default",
        "hive.server2.tez.sessions.per.default.queue": 1,
        "hive.server2.tez.sessions.custom.queue.allowed": "false",
        "mapreduce.framework.name": "local",
        "tez.counters.max": 2000,  # its own 120 are fewer than a query of several parts counts
        "hive.exec.submit.local.task.via.child": "false",
        "hive.server2.thrift.port": layout.ports[port],
        "hive.server2.webui.port": 0,
        "hive.server2.builtin.udf.blacklist": ",".join(REFUSED_FUNCTIONS),
        "hive.query.timeout.seconds": f"{math.ceil(layout.settings.hive_query_seconds)}s",
        "hive.server2.sleep.interval.between.start.attempts": "1s",  # it starts beside HDFS and the metastore
        "hive.server2.max.start.attempts": 60,
        "hive.resultset.use.unique.column.names": "false",  # the columns of SELECT * are named without their table
        "hive.server2.materializedviews.registry.impl": "DUMMY",  # there are none, and looking takes seconds
        "hive.default.nulls.last": "false",  # as Spark orders
        "hive.compute.query.using.stats": "false",  # Spark writes files and leaves Hive's counts as they were
        "hive.exec.local.scratchdir": scratch,
        "hive.downloaded.resources.dir": scratch / "resources",
        "hive.server2.logging.operation.log.location": scratch / "operations",
    }


def hive_server(layout: Layout, name: str, folder: Path, shared: Path) -> Server:
    """The process of a HiveServer2 with the settings in a folder."""
    classes: list[str | Path] = [folder, shared, *hive_jars(layout.folder("conf", name, "jars"))]
    options = ["-Xmx2g", "-XX:+UseParallelGC", *OPENED, f"-Djava.io.tmpdir={layout.folder('tmp')}"]
    derby = f"-Dderby.stream.error.file={layout.folder('logs') / f'{name}-derby.log'}"
    return Server(
        name,
        (name,),
        java([*options, derby], classes, "org.apache.hive.service.server.HiveServer2"),
        lambda: is_listening(layout.address(name)),
        environment={**layout.identity, "HADOOP_CONF_DIR": str(shared)},
    )
