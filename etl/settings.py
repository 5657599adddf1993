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
IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$"
ADDRESS = r"[^\s:/,]+:[0-9]{1,5}"
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """What every command needs to know; one object, passed down."""

    model_config = SettingsConfigDict(
        env_prefix="WAREHOUSE_", toml_file=[PROJECT / "warehouse.toml", PROJECT / "warehouse.local.toml"]
    )

    home: Path = Field(PROJECT / ".warehouse", description="where the local stack and the reports live")
    topic: str = Field("assessments", pattern=r"^[A-Za-z0-9._-]{1,249}$", description="the Kafka topic")
    key_field: str = Field("", description="the member of a message that becomes its Kafka key")
    raw_table: str = Field("", pattern=IDENTIFIER, description="the raw JSON table whose DDL is the contract")
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
    hive_server: str = Field("127.0.0.1:10000", pattern=rf"^{ADDRESS}$", description="HiveServer2 protocol: host:port")
    hive_user: str = Field(default_factory=getpass.getuser, description="user of the HiveServer2 session")
    hive_auth: str = Field("NONE", pattern="^(NONE|NOSASL|LDAP|KERBEROS)$", description="its authentication")
    hive_password: SecretStr | None = Field(None, description="its password, for LDAP")
    spark: str = Field("sc://127.0.0.1:15002", description="Spark Connect address, or a Spark master")
    engine: str = Field("spark", pattern="^(spark)$", description="what runs the SQL files")

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
        local = json.loads(settings.stack_file.read_text())["addresses"]
        return {name: local[name] for name in local if name not in settings.model_fields_set}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise WarehouseError(
            f"{settings.stack_file} cannot be read: {error}", "end the servers by hand and delete that file"
        ) from error
