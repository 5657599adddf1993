"""Every setting, read once: flag over environment (WAREHOUSE_*) over file over running local stack over default.

An address that is not set is the local stack's: `up` records the ports it chose in
`<home>/stack.json`, so the same commands meet a cluster as soon as its addresses are set.
"""

from __future__ import annotations

import getpass
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from etl.errors import UsageError, WarehouseError

PROJECT = Path(__file__).resolve().parent.parent
ADDRESS = r"[^\s:/,]+:[0-9]{1,5}"
USER = r"^[A-Za-z0-9_][A-Za-z0-9._@/-]{0,255}$"
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """What every command needs to know; one object, passed down."""

    model_config = SettingsConfigDict(
        env_prefix="WAREHOUSE_", toml_file=[PROJECT / "warehouse.toml", PROJECT / "warehouse.local.toml"]
    )

    home: Path = Field(PROJECT / ".warehouse", description="where the local stack and the reports live")
    topic: str = Field("assessments", pattern=r"^[A-Za-z0-9._-]{1,249}$", description="the Kafka topic")
    key_field: str = Field("", description="the member of a message that becomes its Kafka key")
    genuine_bytes: int = Field(0, description="length of the published file")
    genuine_blob: str = Field("", description="git blob id of the published file")

    bootstrap_servers: str = Field(
        "127.0.0.1:9092", pattern=rf"^{ADDRESS}(,{ADDRESS})*$", description="Kafka, as host:port[,host:port]"
    )
    warehouse_root: str = Field("hdfs://warehouse/warehouse", description="HDFS folder of all tables")
    webhdfs: str = Field(
        "http://127.0.0.1:9870", pattern=rf"^https?://{ADDRESS}$", description="the NameNode's web address"
    )
    hdfs_user: str = Field(
        default_factory=getpass.getuser, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", description="acts on HDFS"
    )
    metastore: str = Field("thrift://127.0.0.1:9083", description="the Hive metastore (`status` only)")
    spark: str = Field("sc://127.0.0.1:15002", description="what lands: a Spark Connect address, or a Spark master")

    engine: str = Field("spark", pattern="^(spark|hive)$", description="what runs the SQL: spark or hive")
    spark_thrift: str = Field("127.0.0.1:10000", pattern=rf"^{ADDRESS}$", description="Spark's Thrift Server")
    hiveserver2: str = Field("127.0.0.1:10001", pattern=rf"^{ADDRESS}$", description="HiveServer2, binary transport")
    hive_user: str = Field(default_factory=getpass.getuser, pattern=USER, description="user of the SQL session")
    hive_auth: str = Field("NONE", pattern="^(NONE|NOSASL|LDAP|KERBEROS)$", description="how the SQL session logs in")
    hive_password: SecretStr | None = Field(None, description="its password, for LDAP")
    hive_password_file: Path | None = Field(None, description="a file that holds the password instead")
    hive_kerberos_service: str = Field("hive", pattern=USER, description="first part of the server's principal")
    hive_tls: bool = Field(False, description="whether the SQL session is encrypted by TLS")
    hive_tls_ca: Path | None = Field(None, description="PEM file of who signs the server's certificate")
    hive_tls_verify: bool = Field(True, description="whether the server's certificate must be good")
    hive_connect_seconds: float = Field(30, gt=0, description="how long a SQL session may take to open")
    hive_silence_seconds: float = Field(120, gt=0, description="how long the SQL server may leave a call unanswered")
    hive_query_seconds: float = Field(3600, gt=0, description="how long one statement may run before it is cancelled")

    ports: dict[str, Port] = Field(default_factory=dict, description="ports of the local stack, by name")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        """The servers run in a folder of their own, where a relative path would mean another one."""
        return home.expanduser().absolute()

    @field_validator("ports", mode="before")
    @classmethod
    def _of_text(cls, ports: Any) -> Any:
        """As a flag it is JSON, as in the environment."""
        return json.loads(ports) if isinstance(ports, str) else ports

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then the environment, then the files."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def sql_server(self) -> str:
        """Address of the engine: a server that speaks the HiveServer2 protocol."""
        return self.hiveserver2 if self.engine == "hive" else self.spark_thrift

    def password(self) -> str:
        """The password of the SQL session, from its setting or its file; UsageError where there is none."""
        if self.hive_password is not None:
            return self.hive_password.get_secret_value()
        if self.hive_password_file is None:
            raise UsageError(
                f"hive_auth {self.hive_auth} wants a password", "set WAREHOUSE_HIVE_PASSWORD or hive_password_file"
            )
        try:
            return self.hive_password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"the password cannot be read from {self.hive_password_file}: {error}", "mend hive_password_file"
            ) from error

    @property
    def stack_file(self) -> Path:
        """Where `up` records the servers it started."""
        return self.home / "stack.json"

    @property
    def reports(self) -> Path:
        """Where the pages are written."""
        return self.home / "reports"


def load(**flags: Any) -> Settings:
    """Read the settings; `flags` that are None count as not given.

    Raises UsageError naming the setting that cannot be used.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise _refusal(error) from error
    except (SettingsError, tomllib.TOMLDecodeError, OSError) as error:
        cause = error.__cause__ or error
        raise UsageError(
            f"the settings cannot be read: {error}: {cause}", "mend warehouse.toml or the WAREHOUSE_ variable"
        ) from error
    return settings.model_copy(update=_of_stack(settings))


def _refusal(error: ValidationError) -> UsageError:
    """The first fault in words; the value is shown where it cannot be a secret."""
    first = error.errors(include_url=False)[0]
    where = [str(part) for part in first["loc"]]
    if where[0] not in Settings.model_fields:
        return UsageError(f"there is no setting {where[0]}", "docs/settings.md lists them")
    value = "what it is" if "password" in where[0] else repr(first["input"])
    return UsageError(
        f"setting {'.'.join(where)} cannot be {value}: {first['msg']}",
        f"mend the flag, WAREHOUSE_{where[0].upper()} or warehouse.toml",
    )


def _of_stack(settings: Settings) -> dict[str, Any]:
    """The addresses of the local stack, where it was started and nothing else was set."""
    try:
        local = json.loads(settings.stack_file.read_text())["settings"]
        return {name: local[name] for name in local if name not in settings.model_fields_set}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise WarehouseError(
            f"{settings.stack_file} cannot be read: {error}", "end the servers by hand and delete that file"
        ) from error
