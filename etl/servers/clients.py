"""What each client needs to connect to the SQL server of the settings. Pure: contacts no server, shows no password."""

from __future__ import annotations

from urllib.parse import quote

from etl.settings import Settings

DATABASE = "flat"


def clients(settings: Settings) -> dict[str, str]:
    """What to give to each client, by its name."""
    host, _, port = settings.sql_server.rpartition(":")
    login = _python_login(settings)
    arguments = "".join(f", {name}={value!r}" for name, value in login.items())
    query = "&".join(f"{name}={quote(value)}" for name, value in login.items() if name not in ("password", "username"))
    user = quote(login.get("username", ""))
    secret = ":PASSWORD" if "password" in login else ""
    address = f"{user}{secret}{'@' if user else ''}{settings.sql_server}/{DATABASE}"
    uri = f"hive://{address}{'?' if query else ''}{query}"
    plain = {
        "PyHive": f"hive.connect({host.strip('[]')!r}, {port}{arguments}, database={DATABASE!r})",
        "SQLAlchemy, pandas": uri,
        "Superset": uri,
        "dbt-spark": f"type: spark, method: thrift, host: {host}, port: {port}, schema: YOUR_DATABASE",
    }
    if settings.hive_tls:  # PyHive encrypts HTTP alone
        own = "etl.servers.hive_session.Connection(etl.settings.load()), a DB-API connection with TLS"
        plain = {"Python": own, "SQLAlchemy, pandas": f"create_engine('hive://', creator=lambda: {own.split(',')[0]})"}
    return {
        **plain,
        "JDBC (DBeaver, Tableau)": _jdbc(settings),
        "beeline": f"./warehouse beeline --engine {settings.engine}",
        "Hue": f"[beeswax] hive_server_host={host}, hive_server_port={port}",
        "DuckDB, pyarrow": "./warehouse export marts.exams --to exams.parquet",
    }


def _python_login(settings: Settings) -> dict[str, str]:
    """The arguments of PyHive that say who connects, and how."""
    if settings.hive_auth == "KERBEROS":
        return {"auth": "KERBEROS", "kerberos_service_name": settings.hive_kerberos_service}
    if settings.hive_auth == "NONE":
        return {"username": settings.hive_user}
    password = {"password": "PASSWORD"} if settings.hive_auth == "LDAP" else {}
    return {"username": settings.hive_user, **password, "auth": settings.hive_auth}


def _jdbc(settings: Settings) -> str:
    options = {
        "NOSASL": ";auth=noSasl",
        "KERBEROS": f";principal={settings.hive_kerberos_service}/HOST@REALM",
    }.get(settings.hive_auth, "")
    tls = ";ssl=true" if settings.hive_tls else ""
    who = "" if settings.hive_auth == "KERBEROS" else f", user {settings.hive_user}"
    return f"jdbc:hive2://{settings.sql_server}/{DATABASE}{options}{tls}{who}"
