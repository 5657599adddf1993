"""docker-compose.yml without a Docker engine: its form, its pins, its likeness to the local stack; its guide."""

from __future__ import annotations

import ast
import configparser
import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml  # type: ignore[import-untyped]
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

from etl import settings
from etl.cli import app
from etl.servers.hive_session import SESSION
from etl.settings import PROJECT, Settings
from stack import parts, servers, superset
from stack.layout import PORTS, Layout

COMPOSE = PROJECT / "docker-compose.yml"
DOCKER = PROJECT / "docker"
# What no file may hold.
SECRETS = {"POSTGRES_PASSWORD": "a", "HUE_SECRET_KEY": "b", "WAREHOUSE_SPARK_TOKEN": "c"}
SECRETS |= {"SUPERSET_SECRET_KEY": "d", "SUPERSET_PASSWORD": "e"}
ONE_SHOTS = {"jars", "assets", "warehouse"}
HDFS = {"namenode", "datanode", "metastore", "hiveserver2", "spark"}  # servers that read or write it


def properties(path: Path) -> dict[str, str]:
    """The settings of a Hadoop XML file, or of key=value lines; a key that comes twice is an error."""
    if path.suffix == ".xml":
        root = ElementTree.parse(path).getroot()  # noqa: S314 (the project's own file)
        rows = [(row.findtext("name", ""), row.findtext("value", "")) for row in root]
    else:
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        rows = [(key, value) for key, _, value in (line.partition("=") for line in lines)]
    assert rows and all(key for key, _ in rows) and len(dict(rows)) == len(rows), (
        f"{path}: a key is empty or comes twice"
    )
    return dict(rows)


EXPECTED = tomllib.loads((PROJECT / "tests/compose/expected.toml").read_text())
ENV = properties(PROJECT / ".env")
RAW: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
TEXT = re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda match: {**ENV, **SECRETS}[match[1]], COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]


GUIDE = (PROJECT / "docs/cluster.md").read_text(encoding="utf-8")
SNIPPETS = [re.sub(r"^  ", "", text, flags=re.M) for text in re.findall(r"^ *```sh\n(.*?)```", GUIDE, re.DOTALL | re.M)]
DAG = PROJECT / "docs/warehouse_dag.py"
SETTINGS = [*DOCKER.glob("*/*.xml"), *DOCKER.glob("*/*.properties")]
HAS_COMPOSE = (
    shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
)


def mounts(service: dict[str, Any]) -> list[list[str]]:
    """[source, target, mode] of each volume of a service."""
    return [(volume + ":rw").split(":")[:3] for volume in service.get("volumes", [])]


def shell_of(service: dict[str, Any]) -> tuple[str, str]:
    """The health check of a service: the shell that runs it and its text."""
    how, *words = service["healthcheck"]["test"]
    if how == "CMD-SHELL":
        return "sh", words[0]
    assert how == "CMD" and words[:2] == ["bash", "-c"], words
    return "bash", words[2]


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parser of `docker compose`, built from tests/compose with Go modules from the network."""
    if shutil.which("go") is None:
        pytest.skip("no Go here to build the Compose parser with")
    program = tmp_path_factory.mktemp("compose") / "check"
    run = subprocess.run(
        ["go", "build", "-o", program, "."], cwd=PROJECT / "tests/compose", capture_output=True, text=True, check=False
    )
    if re.search(r"dial tcp|no such host|proxyconnect|i/o timeout", run.stderr):
        pytest.skip("the Go modules of the Compose parser cannot be fetched")
    assert run.returncode == 0, run.stderr
    return program


def load(checker: Path, file: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Load a Compose file with nothing but .env and the given variables."""
    variables = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run([checker, file], cwd=PROJECT, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.long("compose")
def test_the_parser_of_docker_compose_takes_the_file(checker: Path) -> None:
    run = load(checker, COMPOSE, SECRETS)
    assert run.returncode == 0, run.stderr
    assert set(json.loads(run.stdout)["services"]) == set(SERVICES)


@pytest.mark.long("compose")
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_is_not_set_stops_the_start(checker: Path, name: str) -> None:
    run = load(checker, COMPOSE, {key: value for key, value in SECRETS.items() if key != name})
    assert run.returncode != 0 and f"set {name} in the shell" in run.stderr


@pytest.mark.long("compose")
@pytest.mark.parametrize("engine", [None, "spark", "hive"])
def test_the_shell_chooses_the_engine_and_without_it_the_setting_does(checker: Path, engine: str | None) -> None:
    run = load(checker, COMPOSE, {**SECRETS, **({"WAREHOUSE_ENGINE": engine} if engine else {})})
    assert json.loads(run.stdout)["services"]["warehouse"]["environment"]["WAREHOUSE_ENGINE"] == engine


@pytest.mark.skipif(not HAS_COMPOSE, reason="no `docker compose` here")
def test_docker_compose_itself_takes_the_file() -> None:
    command = ["docker", "compose", "--file", COMPOSE, "--profile", "*", "config", "--format", "json"]
    variables = {**os.environ, **SECRETS}
    run = subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert set(json.loads(run.stdout)["services"]) == set(SERVICES)


@pytest.mark.long("compose")
def test_the_parser_refuses_a_misspelt_key(checker: Path, tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(TEXT.replace("hostname:", "hostnam:", 1))
    assert "hostnam" in load(checker, broken, SECRETS).stderr


def test_every_image_is_pinned_by_a_version_of_env() -> None:
    for name, service in RAW["services"].items():
        assert re.fullmatch(r"[\w/-]+:\$\{\w+_VERSION\}", service["image"]), name
        for key, value in service.get("build", {}).get("args", {}).items():
            assert value == f"${{{key}}}" and key in ENV, (name, key)
    for file in DOCKER.glob("*/Dockerfile"):
        text = file.read_text()
        for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
            named = re.findall(r"\$\{(\w+)\}", image.split(":", 1)[1])
            assert named and all(f"ARG {key}\n" in text.split("FROM")[0] and key in ENV for key in named), image
    assert all(re.fullmatch(r"\d[\w.]*", ENV[key]) for key in ENV if key.endswith("_VERSION"))
    assert "latest" not in TEXT and "container_name" not in TEXT


def test_the_versions_are_those_of_the_local_stack() -> None:
    jars = {jar.artifact: jar.version for jar in parts.locked() if jar.part in ("kafka", "hadoop", "hive")}
    spark = {jar.artifact: jar.version for jar in parts.locked() if jar.part == "spark"}
    python = re.search(r"^pyspark==(\S+)", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    assert python and ENV["SPARK_VERSION"] == python[1]
    assert ENV["KAFKA_VERSION"] == jars[f"kafka_{ENV['SCALA_VERSION']}"]
    assert ENV["HADOOP_VERSION"] == jars["hadoop-client-minicluster"]
    assert ENV["HIVE_VERSION"] == jars["hive-service"] == jars["hive-hcatalog-core"]
    assert ENV["SPARK_VERSION"] == spark[f"spark-sql-kafka-0-10_{ENV['SCALA_VERSION']}"]
    assert ENV["SUPERSET_VERSION"] == superset.version()
    assert ENV["HIVE_VERSION"] == properties(DOCKER / "spark/spark.properties")["spark.sql.hive.metastore.version"]


def test_env_holds_versions_and_ports_alone_and_secrets_come_from_the_shell() -> None:
    assert all(re.fullmatch(r"\w+_(VERSION|PORT|SHA256)", key) for key in ENV)
    assert set(re.findall(r"\$\{(\w+)\}", COMPOSE.read_text())) == set(ENV), "unused, or not in .env"
    required = re.findall(r"(\w+): \$\{(\w+):\?set (\w+) in the shell", COMPOSE.read_text())
    assert {key for row in required for key in row} - {"SPARK_CONNECT_AUTHENTICATE_TOKEN"} == set(SECRETS)


def test_every_lasting_service_has_a_health_check_and_every_other_waits_for_it() -> None:
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name not in ONE_SHOTS), name
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOTS else "service_healthy"
            assert how == {"condition": wanted}, (name, other)
    waiting = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    while ready := {name for name, others in waiting.items() if not others}:
        waiting = {name: others - ready for name, others in waiting.items() if name not in ready}
    assert not waiting, "these wait for each other or for a service that is not there"


def test_the_health_checks_use_programs_of_their_image_and_ports_of_their_service() -> None:
    for name in SERVICES.keys() - ONE_SHOTS:
        shell, text = shell_of(service := SERVICES[name])
        parted = [shell if shell == "bash" else step.split()[0] for step in re.split(r"&&|\|", text)]
        assert set(parted) <= set(EXPECTED["programs"][service["image"].split(":")[0]]), name
        inside = {port.rsplit(":", 1)[1] for port in service.get("ports", [])}
        assert set(re.findall(r"(?:/dev/tcp/127.0.0.1/|http://127.0.0.1:)(\d+)", text)) <= inside, name


def test_ports_are_on_the_loopback_address_and_are_those_of_the_local_stack() -> None:
    published = [port for service in RAW["services"].values() for port in service.get("ports", [])]
    names = [match[1] for port in published if (match := re.fullmatch(r"127\.0\.0\.1:\$\{(\w+)\}:\d+", port))]
    assert len(names) == len(published) and set(names) == {key for key in ENV if key.endswith("_PORT")}
    assert len({ENV[name] for name in names}) == len(names), "a port is published twice"
    local = {f"{name.replace('-', '_').upper()}_PORT": str(port) for name, port in PORTS.items()}
    assert all(ENV[name] == local[name] for name in local.keys() & set(names))
    within = {"KAFKA_CONTROLLER_PORT", "NAMENODE_PORT", "DATANODE_PORT", "DATANODE_IPC_PORT", "SPARK_WEB_PORT"}
    of_customers = {"CUSTOMERS_PORT", "LOGINS_PORT"}  # the containers have no door for customers
    assert local.keys() - set(names) == within | of_customers, "every other port of the local stack is published"


def test_every_mounted_file_exists_and_every_volume_is_named() -> None:
    named = set()
    for name, service in SERVICES.items():
        for source, _, mode in mounts(service):
            if source.startswith("."):
                assert (PROJECT / source).exists() and mode == "ro", (name, source)
            else:
                named.add(source)
    assert named == set(RAW["volumes"])


def test_the_settings_are_the_local_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "java", lambda: Path("java"))
    given = SERVICES["warehouse"]["environment"]
    user, root = given["WAREHOUSE_HDFS_USER"], given["WAREHOUSE_WAREHOUSE_ROOT"]
    servers.all_servers(Layout(settings.load(home=tmp_path, hdfs_user=user, warehouse_root=root), PORTS), "all")
    kafka = {name[6:].replace("_", ".").lower(): value for name, value in SERVICES["kafka"]["environment"].items()}
    assert set(EXPECTED["local"]) == {"kafka", *(f"{path.parent.name}/{path.name}" for path in SETTINGS)}
    for name, file in EXPECTED["local"].items():
        ours = kafka if name == "kafka" else properties(DOCKER / name)
        local = properties(tmp_path / "conf" / file)
        differing = {key for key in ours.keys() | local.keys() if ours.get(key) != local.get(key)}
        assert differing == set(EXPECTED["differing"][name]), name


def test_kafka_names_every_listener_for_its_users() -> None:
    kafka = SERVICES["kafka"]["environment"]
    listeners = dict(re.findall(r"(\w+)://:(\d+)", kafka["KAFKA_LISTENERS"]))
    mapped = dict(row.split(":") for row in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    advertised = dict(row.split("://") for row in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert set(listeners) == set(mapped) == {*advertised, kafka["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    assert advertised["INTERNAL"] == f"kafka:{listeners['INTERNAL']}"
    assert SERVICES["kafka"]["ports"] == [f"{advertised['HOST']}:{listeners['HOST']}"]
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"{kafka['KAFKA_NODE_ID']}@kafka:{listeners['CONTROLLER']}"


def test_the_namenode_formats_the_folder_it_uses_and_only_a_missing_one() -> None:
    service = SERVICES["namenode"]
    folder = Path(service["environment"]["ENSURE_NAMENODE_DIR"])
    assert properties(DOCKER / "hadoop/hdfs-site.xml")["dfs.namenode.name.dir"] == f"file://{folder}"
    assert ["namenode", str(folder.parent), "rw"] in mounts(service)  # the volume's own folder is always there


def test_hiveserver2_runs_one_tez_task_at_a_time() -> None:
    tez = properties(DOCKER / "hive/hiveserver2-site.xml")
    assert tez["tez.local.mode"] == "true" and tez["tez.am.inline.task.execution.max-tasks"] == "1"
    assert tez["hive.server2.tez.initialize.default.sessions"] == "true"
    assert tez["hive.server2.tez.sessions.per.default.queue"] == "1"
    assert tez["hive.server2.tez.sessions.custom.queue.allowed"] == "false"


def waited_for(name: str) -> set[str]:
    """The services that are healthy before this one starts."""
    direct = set(SERVICES[name].get("depends_on", {}))
    return direct.union(*map(waited_for, direct))


def test_the_project_is_given_settings_that_exist_and_servers_that_are_there() -> None:
    environment = SERVICES["warehouse"]["environment"]
    given = {key.removeprefix("WAREHOUSE_").lower(): value for key, value in environment.items()}
    assert set(given) <= set(Settings.model_fields)
    assert given["warehouse_root"] == Settings.model_fields["warehouse_root"].default
    met = {(host, port) for text in given.values() for host, port in re.findall(r"(?:^|//)(\w+):(\d+)", text or "")}
    hosts = {"kafka", "namenode", "metastore", "spark", "hiveserver2"}
    assert {host for host, _ in met} == hosts <= waited_for("warehouse")
    inside = {name: {port.rsplit(":", 1)[1] for port in SERVICES[name]["ports"]} for name in hosts}
    inside["kafka"] = {"9092"}  # the listener for containers, which is not published
    assert not [(host, port) for host, port in met if port not in inside[host]]
    users = {SERVICES[name]["environment"]["HADOOP_USER_NAME"] for name in HDFS}
    assert users == {given["hdfs_user"]} == {given["hive_user"]}, "who starts the NameNode is HDFS's superuser"


def test_hue_meets_servers_of_the_stack_and_a_hive_site_that_says_how_to_log_in() -> None:
    hue = configparser.ConfigParser(interpolation=None)
    hue.read(DOCKER / "hue/hue.ini")
    hosts = {hue["beeswax"]["hive_server_host"], hue["spark"]["sql_server_host"], hue["[database]"]["host"]}
    assert hosts == {"hiveserver2", "spark", "postgres"} <= waited_for("hue")
    assert {"[[hive]]", "[[sparksql]]"} <= set(hue.sections()), "a reader chooses the engine"
    assert ["./docker/client", hue["beeswax"]["hive_conf_dir"], "ro"] in mounts(SERVICES["hue"])
    assert properties(DOCKER / "client/hive-site.xml")["hive.server2.authentication"] == "NONE"
    scripts = {hue["desktop"]["secret_key_script"], hue["[database]"]["password_script"]}
    of_hue = {name for name in SECRETS if name in SERVICES["hue"]["environment"]}
    assert scripts == {f"printenv {name}" for name in of_hue} and len(of_hue) == 2
    assert f"CREATE DATABASE {hue['[database]']['name']};" in (DOCKER / "postgres/hue.sql").read_text()


def test_superset_imports_what_the_warehouse_writes_and_runs_as_in_the_local_stack(tmp_path: Path) -> None:
    assets = SERVICES["assets"]["environment"]
    met = {assets["WAREHOUSE_SPARK_THRIFT"], assets["WAREHOUSE_HIVESERVER2"]}
    assert met == {"spark:10000", "hiveserver2:10000"} and {"spark", "hiveserver2"} <= waited_for("superset")
    start = (DOCKER / "superset/start.sh").read_text()
    bundle = Path(SERVICES["assets"]["command"][-1])
    assert bundle.parent == Path(assets["WAREHOUSE_HOME"]) and f" /assets/{bundle.name} " in start
    shared = {volume: where for service in ("assets", "superset") for volume, where, _ in mounts(SERVICES[service])}
    assert ["reports", str(bundle.parent), "rw"] in mounts(SERVICES["assets"]) and shared["reports"] == "/assets"
    server = superset.server(Layout(Settings(home=tmp_path), PORTS))
    words = [word.replace("127.0.0.1", "0.0.0.0") for word in server.command[1:]]  # noqa: S104 (the container's own)
    assert words == shlex.split(start.splitlines()[-1].removeprefix("exec python"))
    image = (DOCKER / "superset/Dockerfile").read_text()
    assert {name for name in server.environment if f"{name}=" not in image} <= {"PYTHONDONTWRITEBYTECODE"}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_shellcheck_finds_nothing_in_scripts_health_checks_images_and_the_guide() -> None:
    texts = [("sh", file.read_text()) for file in [PROJECT / "warehouse", *DOCKER.rglob("*.sh")]]
    texts += [shell_of(SERVICES[name]) for name in SERVICES.keys() - ONE_SHOTS]
    steps = [
        re.findall(r"^RUN ((?:.*\\\n)*.*)", file.read_text(), re.MULTILINE) for file in DOCKER.glob("*/Dockerfile")
    ]
    assert all(steps) and SNIPPETS
    texts += [("sh", step) for group in steps for step in group] + [("sh", snippet) for snippet in SNIPPETS]
    for shell, text in texts:
        # 1091: a file of settings that is not here. 2154: what an image's ARG and ENV have set.
        command = ["shellcheck", "-s", shell, "--exclude", "1091,2154", "-"]
        run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{text}\n{run.stdout}"


def test_what_has_not_been_run_says_so() -> None:
    begin = GUIDE.split("##")[0]
    assert "`docker-compose.yml` has not been run" in begin and "# NOT RUN:" in COMPOSE.read_text().split("name:")[0]
    assert re.search(r"on Kubernetes, it \*\*has not been run", begin) and "never scheduled" in begin


def test_the_guide_names_settings_commands_files_and_packages_that_exist() -> None:
    before_python = {"python", "venv"}  # what the script ./warehouse reads
    named = {name.lower() for name in re.findall(r"\bWAREHOUSE_([A-Z0-9_]+)", GUIDE)}
    assert named <= set(Settings.model_fields) | before_python
    assert {name for name in Settings.model_fields if name.startswith("hive")} <= named | {"hive_password"}
    commands = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    typed = set(re.findall(r"(?:\./warehouse|__main__\.py) ([a-z]+)", GUIDE))
    assert {"run", "land", "status"} <= typed <= commands
    files = set(re.findall(r"`((?:docs|docker|etl|tests)/[\w./]+|[\w-]+\.(?:yml|lock))`", GUIDE))
    assert len(files) > 5 and not [file for file in files if not (PROJECT / file).exists()]
    assert set(SECRETS) <= set(re.findall(r"\w+", GUIDE))
    packages = set(re.findall(r"[\w.]+\.[\w.]+:[\w.-]+:\d[\w.]*", GUIDE))
    spark = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in parts.locked() if jar.part == "spark"}
    assert len(packages) == 2 and packages <= spark
    lock = (PROJECT / "requirements.lock").read_text()
    match = re.search(r"/\^\(([\w|]+)\)==/", GUIDE)
    assert match and all(re.search(rf"^{name}==", lock, re.MULTILINE) for name in match[1].split("|"))


@contextlib.contextmanager
def java_of(*classes: str) -> Iterator[Any]:
    """A Java process with these jars that does what Python says."""
    if not parts.SHARE.joinpath("jars.lock").exists():
        pytest.skip("the jars of the servers are not here: ./warehouse up fetches them")
    [py4j] = parts.pyspark_jars().glob("py4j-*.jar")
    port, token, process = launch_gateway(
        jarpath=str(py4j),
        classpath=os.pathsep.join(classes),
        javaopts=["-Xmx256m", *servers.SMALL],
        java_path=str(parts.java()),
        die_on_exit=True,
        enable_auth=True,
        return_proc=True,
    )
    # Without memory management: Python's garbage would call on a process that has ended.
    how = GatewayParameters(port=port, auth_token=token, auto_convert=True, enable_memory_management=False)
    gateway = JavaGateway(gateway_parameters=how)
    try:
        yield gateway.jvm
    finally:
        gateway.close()
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """Spark's own classes."""
    with java_of(f"{parts.pyspark_jars()}/*") as jvm:
        yield jvm


def submitted(snippet: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """What `spark-submit` is called with in a snippet that the shell really runs, and its environment."""
    stand_in = folder / "spark-submit"
    stand_in.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
    )
    stand_in.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(["sh", "-eu", "-c", snippet], env={"PATH": path}, capture_output=True, text=True, check=True)
    words, environment = json.loads(run.stdout)
    return words, environment


def understood(jvm: Any, words: list[str], environment: dict[str, str]) -> Any:
    """What Spark's own parser makes of the words behind `spark-submit`."""
    scala = jvm.org.apache.spark.api.python.PythonUtils
    return jvm.org.apache.spark.deploy.SparkSubmitArguments(scala.toSeq(words), scala.toScalaMap(environment))


SUBMITS = [snippet for snippet in SNIPPETS if "spark-submit" in snippet]


@pytest.mark.parametrize("snippet", SUBMITS, ids=["server", "loader"])
def test_spark_understands_the_lines_of_the_guide(snippet: str, spark: Any, tmp_path: Path) -> None:
    words, environment = submitted(snippet, tmp_path)
    options = understood(spark, words, environment)
    assert (options.master(), options.deployMode(), environment["PYSPARK_PYTHON"]) == ("yarn", "client", "python3.11")
    assert len(options.packages().split(",")) == 2 and options.packagesExclusions() and options.archives()
    if options.isPython():
        assert (PROJECT / words[-2]).exists() and environment["WAREHOUSE_SPARK"] == "yarn"
    else:
        spark.java.lang.Class.forName(options.mainClass(), False, spark.java.lang.ClassLoader.getSystemClassLoader())
    given = dict(word.split("=", 1) for option, word in itertools.pairwise(words) if option == "--conf")
    local = properties(DOCKER / "spark/spark.properties")
    more = {"spark.executorEnv.PYTHONPATH", "spark.yarn.isPython", "spark.executor.extraJavaOptions"}  # for its nodes
    folder = "spark.sql.hive.metastore.jars.path"
    assert {key for key, value in given.items() if local.get(key) != value} - {folder} <= more


def test_spark_refuses_a_misspelt_option(spark: Any, tmp_path: Path) -> None:
    words, environment = submitted(SUBMITS[0].replace("--archives", "--archive"), tmp_path)
    with pytest.raises(Py4JJavaError, match="Unrecognized option '--archive'"):
        understood(spark, words, environment)


def test_the_guide_names_what_hives_white_list_lacks() -> None:
    with java_of(f"{parts.SHARE}/hive/*") as jvm:
        conf = jvm.org.apache.hadoop.hive.conf.HiveConf()
        allowed = str(conf.get("hive.security.authorization.sqlstd.confwhitelist") or "")
        listed = {name for name in SESSION["hive"] if jvm.java.util.regex.Pattern.matches(allowed, name)}
    (lacking,) = re.findall(r"confwhitelist\.append=([^`]+)`", GUIDE)
    assert (
        listed and {name for name in SESSION["hive"] if re.fullmatch(lacking, name)} == SESSION["hive"].keys() - listed
    )


def test_the_dag_has_five_tasks_that_run_commands_of_the_project() -> None:
    calls = [node for node in ast.walk(ast.parse(DAG.read_text())) if isinstance(node, ast.Call)]
    steps = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "step"]
    words = [[argument.value for argument in call.args if isinstance(argument, ast.Constant)] for call in steps]
    assert [name for name, *_ in words] == ["land", "build", "validate", "report", "ready"]
    commands = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert {command.split()[0] for _, command, *_ in words} <= commands


LOAD = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
tasks = {name: {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} for name, dag in bag.dags.items()}
print("\\n" + json.dumps([bag.import_errors, tasks]))
"""


def test_airflow_loads_the_dag(tmp_path: Path) -> None:
    python = os.environ.get("AIRFLOW_PYTHON", sys.executable)  # Airflow lives in an environment of its own
    if subprocess.run([python, "-c", "import airflow"], capture_output=True, check=False).returncode:
        pytest.skip("no Airflow here: AIRFLOW_PYTHON may name a Python that has it")
    shutil.copy(DAG, tmp_path)
    variables = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    command = [python, "-c", LOAD, str(tmp_path)]
    run = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    after = {
        "land": ["build"],
        "build": ["report", "validate"],
        "validate": ["ready", "report"],
        "report": [],
        "ready": [],
    }
    assert json.loads(run.stdout.splitlines()[-1]) == [{}, {"warehouse": after}]
