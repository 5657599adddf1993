"""The customers' door: a second HiveServer2, with logins and SQL-standard authorization, where only reading is allowed.

Every list here names what is allowed. What it cannot hide is in docs/customers.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from etl.errors import UsageError
from etl.servers.logins import ADMIN
from etl.settings import PROJECT
from stack.engines import client_conf, hive_properties, hive_server
from stack.layout import Layout, Server, write_statement_log, write_xml
from stack.logins import DN
from stack.probes import is_listening

SQL_STANDARD = "org.apache.hadoop.hive.ql.security.authorization.plugin.sqlstd.SQLStdHiveAuthorizerFactory"
# What a session may set; none of it changes what a statement returns or may do.
SETTINGS = (r"hive\.query\.name", r"hive\.query\.tag", r"hive\.server2\.thrift\.resultset\.default\.fetch\.size")
FUNCTIONS = {
    "operators": "! != $sum0 % & * + - / < <= <=> <> = == > >= ^ and array between case coalesce "
    "cast div elt field greatest if in index isfalse isnotfalse isnotnull isnottrue isnull istrue least like likeall "
    "likeany map named_struct not nullif nvl or positive negative regexp rlike when struct | ~",
    "types": "bigint binary boolean char date decimal double float int integer smallint string timestamp tinyint "
    "varchar interval_day_time interval_year_month",
    "numbers": "abs acos asin atan bround cbrt ceil ceiling conv cos degrees e exp factorial floor hex ln log log10 "
    "log2 mod pi pmod pow power radians rand round sign sin sqrt tan unhex width_bucket",
    "texts": "ascii base64 bin character_length char_length chr concat concat_ws decode encode find_in_set "
    "format_number get_json_object initcap instr lcase length levenshtein locate lower lpad ltrim md5 octet_length "
    "parse_url printf quote regexp_extract regexp_replace repeat replace reverse rpad rtrim sha sha1 sha2 soundex "
    "space split str_to_map substr substring substring_index translate trim ucase unbase64 upper",
    "times": "add_months current_date current_timestamp date_add date_format date_sub datediff day dayofmonth "
    "dayofweek extract floor_day floor_hour floor_minute floor_month floor_quarter floor_second floor_week floor_year "
    "from_unixtime from_utc_timestamp hour last_day minute month months_between next_day quarter second "
    "to_date to_epoch_milli to_unix_timestamp to_utc_timestamp trunc unix_timestamp weekofyear year",
    "collections": "array_contains array_distinct array_except array_intersect array_join array_max array_min "
    "array_slice array_union explode inline json_tuple map_keys map_values parse_url_tuple posexplode size sort_array "
    "stack",
    "aggregates": "avg collect_list collect_set compute_stats corr count covar_pop covar_samp histogram_numeric max "
    "min ngrams percentile percentile_approx percentile_cont percentile_disc regr_avgx regr_avgy regr_count "
    "regr_intercept regr_r2 regr_slope std stddev stddev_pop stddev_samp sum var_pop var_samp variance "
    "approx_distinct grouping",
    "windows": "cume_dist dense_rank first_value lag last_value lead noop ntile percent_rank rank row_number "
    "windowingtablefunction",
}


def passwords(home: Path) -> Path:
    """The password file of a home."""
    return home / "customers.passwords"


def logins(layout: Layout) -> Server:
    """The process that answers for the password file."""
    passwords(layout.settings.home).touch(mode=0o600)
    log = layout.folder("logs") / "customers_logins.jsonl"
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
    write_statement_log(folder, layout.folder("logs") / "customers_statements.jsonl")
    locks = {
        **_login(layout),
        **_encryption(layout),
        "hive.security.authorization.enabled": "true",
        "hive.security.authorization.manager": SQL_STANDARD,
        "hive.security.authenticator.manager": "org.apache.hadoop.hive.ql.security.SessionStateUserAuthenticator",
        "hive.users.in.admin.role": ADMIN,
        "metastore.filter.hook": "org.apache.hadoop.hive.ql.security.authorization.plugin."
        "AuthorizationMetaStoreFilterHook",
        "hive.security.authorization.sqlstd.confwhitelist": "|".join(SETTINGS),
        "hive.security.authorization.sqlstd.confwhitelist.append": "",
        "hive.security.command.whitelist": "none",
        "hive.server2.builtin.udf.whitelist": ",".join(" ".join(FUNCTIONS.values()).split()),
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
