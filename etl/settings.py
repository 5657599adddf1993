"""All settings, read once: flag over environment (WAREHOUSE_*) over file over running local stack over default.

An address that is not set is that of a running server of the local stack, which `up` recorded in `<home>/stack.json`.
There is no other default: a command never acts on a server that neither its home nor a setting names.
"""

from __future__ import annotations

import getpass
import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from etl import local_stack
from etl.errors import UsageError, WarehouseError
from etl.setting_sources import PREFIX, refusal, refuse_unknown_variables, unreadable

PROJECT = Path(__file__).resolve().parent.parent
PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4}"
ADDRESS = rf"[^\s:/,]+:(?:{PORT})"
CUSTOMERS = "customers"  # as the engine of a session: the customers' door
BEFORE_PYTHON = ("python", "venv")  # WAREHOUSE_ variables that the script ./warehouse reads
ROOT = r"^(?:[a-z][a-z0-9+.-]*://[^\s/?#]*)?(?:/\.?[^\s/?#.][^\s/?#]*)+$"  # a folder, never all of HDFS
SPARK = r"^(sc://\S+|local(\[\S+\])?|yarn|(spark|k8s)://\S+)$"
USER = r"^[A-Za-z0-9_][A-Za-z0-9._@/-]{0,255}$"
Port = Annotated[int, Field(ge=0, le=65535)]
Months = Annotated[int, Field(ge=1, le=1200)]
Seconds = Annotated[float, Field(gt=0, le=31_536_000)]


def _user() -> str:
    """The system user; a container may run as one that has a number alone."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class Settings(BaseSettings):
    """The settings of a call; one object, passed down."""

    model_config = SettingsConfigDict(
        env_prefix="WAREHOUSE_",
        validate_default=False,
        toml_file=[PROJECT / "warehouse.toml", PROJECT / "warehouse.local.toml"],
    )

    home: Path = Field(PROJECT / ".warehouse", description="where the local stack and the reports are kept")
    topic: str = Field("assessments", pattern=r"^[A-Za-z0-9._-]{1,249}$", description="the Kafka topic")
    key_field: str = Field("", description="the member of a message that becomes its Kafka key")
    genuine_bytes: int = Field(0, description="length of the published file")
    genuine_blob: str = Field("", description="git blob id of the published file")

    bootstrap_servers: str = Field(
        "", pattern=rf"^{ADDRESS}(,{ADDRESS})*$", description="Kafka, as host:port[,host:port]"
    )
    warehouse_root: str = Field("hdfs://warehouse/warehouse", pattern=ROOT, description="HDFS folder of all tables")
    webhdfs: str = Field("", pattern=rf"^https?://{ADDRESS}$", description="the NameNode's web address")
    hdfs_user: str = Field(
        default_factory=_user, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", description="the user on HDFS"
    )
    metastore: str = Field("", min_length=1, description="the Hive metastore (`status` only)")
    spark: str = Field("", pattern=SPARK, description="what lands: a Spark Connect address, or a Spark master")
    spark_web: str = Field("", pattern=rf"^https?://{ADDRESS}$", description="Spark's web address (running statements)")
    spark_token: SecretStr | None = Field(None, description="the token of Spark Connect and of Spark's web address")
    spark_token_file: Path | None = Field(None, description="a file that holds the token instead")
    erasure_key_file: Path | None = Field(None, description="the key of erased ids, if not erasure.key in the home")
    adopt: bool = Field(False, description="let this home change to another warehouse or Kafka, once")

    engine: str = Field("spark", pattern="^(spark|hive)$", description="what runs the SQL: spark or hive")
    spark_thrift: str = Field("", pattern=rf"^{ADDRESS}$", description="Spark's Thrift Server")
    hiveserver2: str = Field("", pattern=rf"^{ADDRESS}$", description="HiveServer2, binary transport")
    hive_database: str = Field("default", pattern=r"^\w+$", description="the database that the SQL session begins in")
    hive_user: str = Field(default_factory=_user, pattern=USER, description="user of the SQL session")
    hive_auth: str = Field("NONE", pattern="^(NONE|NOSASL|LDAP|KERBEROS)$", description="how the SQL session logs in")
    hive_password: SecretStr | None = Field(None, description="its password, for LDAP")
    hive_password_file: Path | None = Field(None, description="a file that holds the password instead")
    hive_kerberos_service: str = Field("hive", pattern=USER, description="first part of the server's principal")
    hive_tls: bool = Field(False, description="whether the SQL session is encrypted by TLS")
    hive_tls_ca: Path | None = Field(None, description="PEM file of the authority that signs the server's certificate")
    hive_tls_verify: bool = Field(True, description="whether the server's certificate must be valid")
    customers_door: str = Field("", pattern=rf"^{ADDRESS}$", description="HiveServer2 of the customers")
    customers_ldap: str = Field("", pattern=r"^ldaps?://\S+$", description="directory of customers' logins")
    customers_ldap_dn: str = Field(
        "", pattern=r"^[^%]*%s[^%]*$", description="a login's name in it, as uid=%s,ou=people"
    )
    customers_keystore: Path | None = Field(None, description="PKCS12 file by which the customers' door encrypts")
    customers_keystore_password_file: Path | None = Field(None, description="a file that holds its password")
    hive_connect_seconds: Seconds = Field(30, description="how long a SQL session may take to open")
    hive_silence_seconds: Seconds = Field(120, description="how long the SQL server may leave a call unanswered")
    hive_query_seconds: Seconds = Field(3600, description="how long one statement may run before it is cancelled")
    result_megabytes: int = Field(256, gt=0, description="how much the rows of one statement may take in local Spark")

    keep_months: dict[str, Months] = Field(default_factory=dict, description="months that tables keep, by table")
    notify: SecretStr | None = Field(None, description="URL or command that gets a JSON document on failures")
    clean_after_build: bool = Field(False, description="remove what no release needs after each build")

    ports: dict[str, Port] = Field(default_factory=dict, description="ports of the local stack, by name")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        """The servers run in a folder of their own, where a relative path would mean another one."""
        try:
            return home.expanduser().absolute()
        except RuntimeError as error:  # ~name of a user whom the system does not know
            raise ValueError(str(error)) from error

    @field_validator("ports", "keep_months", mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        """As a flag it is JSON, as in the environment."""
        return json.loads(value) if isinstance(value, str) else value

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

    def address(self, name: str) -> str:
        """The address of this setting. Raises WarehouseError where neither a setting nor a running server gives it."""
        if value := str(getattr(self, name)):
            return value
        stack = local_stack.read(self.home)
        variable = f"{PREFIX}{name.upper()}"
        if name == "customers_door" and stack.running:
            raise WarehouseError(f"the customers' door is not open in {self.home}", "run ./warehouse up --customers")
        if name == "hiveserver2" and stack.running:
            raise WarehouseError(f"HiveServer2 is not started in {self.home}", "run ./warehouse up --engine all")
        if stack.running:
            raise WarehouseError(f"{local_stack.SERVERS[name]} has ended in {self.home}", "run ./warehouse up")
        description = str(Settings.model_fields[name].description).split(",")[0].split(" (")[0]
        raise WarehouseError(
            f"no stack is up in {self.home} and no setting names {description}",
            f"run ./warehouse up, or set WAREHOUSE_HOME or {variable}",
        )

    @property
    def sql_server(self) -> str:
        """Address of the engine: a server that speaks the HiveServer2 protocol. Raises as `address`."""
        return self.address({"hive": "hiveserver2", CUSTOMERS: "customers_door"}.get(self.engine, "spark_thrift"))

    def password(self) -> str:
        """The password of the SQL session, from its setting or its file; UsageError where there is none."""
        if password := self._secret("hive_password"):
            return password
        raise UsageError(
            f"hive_auth {self.hive_auth} requires a password", "set WAREHOUSE_HIVE_PASSWORD or hive_password_file"
        )

    def token(self) -> str | None:
        """The token of Spark, from its setting or its file; None where neither is set."""
        return self._secret("spark_token")

    def _secret(self, name: str) -> str | None:
        if (value := getattr(self, name)) is not None:
            return str(value.get_secret_value())
        if (path := getattr(self, f"{name}_file")) is None:
            return None
        try:
            return str(path.read_text(encoding="utf-8")).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            secret = name.rpartition("_")[2]
            raise UsageError(f"the {secret} cannot be read from {path}: {error}", f"correct {name}_file") from error

    def require_home(self) -> None:
        """Make the home where it is missing. Raises UsageError where nothing can be written there."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.home) as file:
                file.write(b"x")
        except OSError as error:
            raise UsageError(
                f"the folder {self.home} cannot be written: {error.strerror}", "set WAREHOUSE_HOME"
            ) from error

    @property
    def stack_file(self) -> Path:
        """Where `up` records the servers it started."""
        return self.home / "stack.json"

    @property
    def reports(self) -> Path:
        """Where the pages are written."""
        return self.home / "reports"


SECRETS = {name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)}


def load(**flags: Any) -> Settings:
    """Read the settings; `flags` that are None count as not given.

    Raises UsageError naming the setting that cannot be used and the flag, variable or file that gives it.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    refuse_unknown_variables([*Settings.model_fields, *BEFORE_PYTHON])
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise refusal(Settings, error, given) from error
    except (SettingsError, ValueError, OSError) as error:
        cause = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise UsageError(
            f"the settings cannot be read: {cause}", f"correct {unreadable(Settings, str(error), given)}"
        ) from error
    reachable = local_stack.read(settings.home).reachable()
    values: dict[str, Any] = {name: value for name, value in reachable.items() if name not in settings.model_fields_set}
    if file := values.get("spark_token_file"):
        values["spark_token_file"] = Path(file)
    return settings.model_copy(update=values)
