#!/bin/sh
# Fills the volume of jars: those of jars.lock for Spark, and the PostgreSQL driver that apache/hive lacks.
set -eu

share=$WAREHOUSE_VENV/share/java
driver=$share/postgres/postgresql-$POSTGRES_JDBC_VERSION.jar

is_genuine() {
    echo "$POSTGRES_JDBC_SHA256  $driver" | sha256sum --check --status 2>/dev/null
}

"$WAREHOUSE_VENV/bin/python" -c 'from stack.parts import ensure_jars; ensure_jars(print)'

# HiveServer2's jar of Hive's procedural language, without the class that gives every user a shell.
mkdir -p "$share/fenced"
"$WAREHOUSE_VENV/bin/python" -c 'from pathlib import Path
from stack import engines, parts
engines.hive_jars(parts.SHARE / "fenced")'

if ! is_genuine; then
    java -cp "$SPARK_HOME/jars/*" org.apache.ivy.Main -warn -cache /tmp/ivy -confs master \
        -dependency org.postgresql postgresql "$POSTGRES_JDBC_VERSION" \
        -retrieve "$share/postgres/[artifact]-[revision].[ext]"
    is_genuine || {
        echo "jars: $driver is not the jar of POSTGRES_JDBC_SHA256 in .env" >&2
        exit 1
    }
fi
