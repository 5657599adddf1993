"""The customers' door: a second HiveServer2, with logins and SQL-standard authorization, where only reading is allowed.

No settings of HiveServer2 refuse all else, so CustomersDoor.java does, which is compiled here. Every list names what
is allowed. What the door cannot hide is in docs/customers.md.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from etl.errors import UsageError
from etl.servers.logins import ADMIN, AUDIT
from etl.settings import PROJECT
from stack import parts
from stack.engines import client_conf, hive_properties, hive_server
from stack.layout import Layout, Server, write_log4j, write_xml
from stack.logins import DN
from stack.probes import is_listening

SQL_STANDARD = "org.apache.hadoop.hive.ql.security.authorization.plugin.sqlstd.SQLStdHiveAuthorizerFactory"
# What a session may set; none of it changes what a statement returns or may do.
SETTINGS = (r"hive\.query\.name", r"hive\.query\.tag", r"hive\.server2\.thrift\.resultset\.default\.fetch\.size")
FUNCTIONS = {
    "conditions": "array between case coalesce elt field greatest if in isfalse isnotfalse isnotnull isnottrue isnull "
    "istrue least like likeall likeany map named_struct nullif nvl positive negative regexp rlike when struct",
    "types": "bigint binary boolean char date decimal double float int smallint string timestamp tinyint varchar",
    "numbers": "abs acos asin atan bround cbrt ceil ceiling conv cos degrees e exp factorial floor hex ln log log10 "
    "log2 mod pi pmod pow power radians rand round sign sin sqrt tan unhex width_bucket",
    "texts": "ascii base64 bin character_length char_length chr concat concat_ws decode encode find_in_set "
    "format_number get_json_object initcap instr lcase length levenshtein locate lower lpad ltrim md5 octet_length "
    "parse_url printf quote regexp_extract regexp_replace repeat replace reverse rpad rtrim sha sha1 sha2 soundex "
    "space split str_to_map substr substring substring_index translate trim ucase unbase64 upper",
    "times": "add_months current_date current_timestamp date_add date_format date_sub datediff day dayofmonth "
    "dayofweek extract floor_day floor_hour floor_minute floor_month floor_quarter floor_second floor_week floor_year "
    "from_unixtime from_utc_timestamp hour internal_interval last_day minute month months_between next_day "
    "quarter second to_date to_epoch_milli to_unix_timestamp to_utc_timestamp trunc unix_timestamp weekofyear year",
    "collections": "array_contains array_distinct array_except array_intersect array_join array_max array_min "
    "array_slice array_union explode inline json_tuple map_keys map_values parse_url_tuple posexplode size sort_array "
    "stack",
    "aggregates": "avg collect_list collect_set corr count covar_pop covar_samp histogram_numeric max "
    "min ngrams percentile percentile_approx percentile_cont percentile_disc regr_avgx regr_avgy regr_count "
    "regr_intercept regr_r2 regr_slope std stddev stddev_pop stddev_samp sum var_pop var_samp variance "
    "approx_distinct grouping",
    "windows": "cume_dist dense_rank first_value lag last_value lead ntile percent_rank rank row_number",
    "session": "current_user current_database",
}
HOOK = "CustomersDoor"


def passwords(home: Path) -> Path:
    """The password file of a home."""
    return home / "customers.passwords"


def logins(layout: Layout) -> Server:
    """The process that answers for the password file."""
    passwords(layout.settings.home).touch(mode=0o600)
    log = layout.folder("logs") / AUDIT
    command = [sys.executable, "-m", "stack.logins", str(layout.ports["logins"])]
    return Server(
        "logins",
        ("logins",),
        [*command, str(passwords(layout.settings.home)), str(log)],
        lambda: is_listening(layout.address("logins")),
        environment={"PYTHONPATH": str(PROJECT)},
    )


def customers_door(layout: Layout) -> Server:
    """The second HiveServer2."""
    shared, folder = client_conf(layout), layout.folder("conf", "customers")
    scratch = layout.folder("tmp", "customers")
    write_log4j(folder)
    compile_hook(folder)
    log = layout.folder("logs") / AUDIT
    log.touch(mode=0o600)
    locks = {
        **_login(layout),
        **_encryption(layout),
        "hive.security.authorization.enabled": "true",
        "hive.security.authorization.manager": SQL_STANDARD,
        "hive.security.authenticator.manager": f"{HOOK}$User",
        "hive.users.in.admin.role": ADMIN,
        "hive.semantic.analyzer.hook": HOOK,
        "hive.query.lifetime.hooks": f"{HOOK}$Log",
        "metastore.filter.hook": f"{HOOK}$Names",
        "warehouse.customers.admin": ADMIN,
        "warehouse.customers.functions": " ".join(FUNCTIONS.values()),
        "warehouse.customers.log": log,
        "hive.security.authorization.sqlstd.confwhitelist": "|".join(SETTINGS),
        "hive.security.authorization.sqlstd.confwhitelist.append": "",
        "hive.security.command.whitelist": "none",
        "hive.variable.substitute": "false",
        "hive.server2.allow.user.substitution": "false",
        "hive.scheduled.queries.executor.enabled": "false",
        "hive.server2.logging.operation.enabled": "false",
        "hive.session.history.enabled": "false",
        "hive.local.time.zone": "UTC",
        "hive.exec.scratchdir": "/tmp/hive_customers",  # noqa: S108 (on HDFS)
    }
    properties = {**hive_properties(layout, "customers", scratch), **locks}
    write_xml(folder / "hiveserver2-site.xml", properties, is_secret=True)
    return hive_server(layout, "customers", folder, shared)


def compile_hook(folder: Path) -> None:
    """Compile CustomersDoor.java into a folder, unless the classes there come from the same source.

    The compiler is Janino, which Spark brings: a Java runtime need not have one.
    """
    from py4j.java_gateway import (  # type: ignore[import-untyped]
        GatewayParameters,
        JavaGateway,
        launch_gateway,
    )

    source = Path(__file__).with_name(f"{HOOK}.java").read_text(encoding="utf-8")
    digest, path = hashlib.sha256(source.encode()).hexdigest(), folder / f"{HOOK}.sha256"
    if path.exists() and path.read_text() == digest:
        return
    jars = [*parts.pyspark_jars().glob("janino-*.jar"), *parts.pyspark_jars().glob("commons-compiler-*.jar")]
    classes = ":".join(map(str, [*jars, parts.SHARE / "hive" / "*"]))
    port, token = launch_gateway(classpath=classes, java_path=str(parts.java()), die_on_exit=True, enable_auth=True)
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    try:
        compiler = gateway.jvm.org.codehaus.janino.SimpleCompiler()
        compiler.cook(source)
        compiled = compiler.getBytecodes()
        for name in compiled:
            (folder / f"{name}.class").write_bytes(compiled[name])
    finally:
        gateway.shutdown()
    path.write_text(digest)


def _login(layout: Layout) -> dict[str, Any]:
    """The directory that HiveServer2 asks: that of the setting, or the process beside it."""
    settings = layout.settings
    if settings.customers_ldap and not settings.customers_ldap_dn:
        raise UsageError("customers_ldap requires customers_ldap_dn", "set it to uid=%s,ou=people,... of the directory")
    return {
        "hive.server2.authentication": "LDAP",
        "hive.server2.authentication.ldap.url": settings.customers_ldap or f"ldap://{layout.address('logins')}",
        "hive.server2.authentication.ldap.userDNPattern": settings.customers_ldap_dn or DN.format("%s"),
    }


def _encryption(layout: Layout) -> dict[str, Any]:
    """TLS, where a keystore is set."""
    settings = layout.settings
    if settings.customers_keystore is None:
        return {}
    if settings.customers_keystore_password_file is None:
        raise UsageError("customers_keystore requires its password", "set customers_keystore_password_file")
    return {
        "hive.server2.use.SSL": "true",
        "hive.server2.keystore.path": settings.customers_keystore,
        "hive.server2.keystore.type": "PKCS12",
        "hive.server2.keystore.password": _text(settings.customers_keystore_password_file),
    }


def _text(path: Path) -> str:
    """A password from its file."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the password cannot be read from {path}: {error}", "correct its setting") from error
