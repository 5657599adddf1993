"""The warehouse as an Airflow DAG: each step of `./warehouse run` is a task, so that the failed one is visible."""

import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = "/opt/warehouse"  # on every worker, and so is the file of settings
SETTINGS = "/etc/warehouse/cluster.env"


def step(name: str, command: str, rule: str = "all_success") -> BashOperator:
    """A task that runs one command of ./warehouse; its messages and exit code are in the log of the task."""
    line = f"cd {PROJECT} && . {SETTINGS} && ./warehouse {command}"
    return BashOperator(task_id=name, bash_command=line, trigger_rule=rule)


with DAG(
    "warehouse",
    schedule="17 * * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
):
    land = step("land", "land")
    build = step("build", "build")
    # Exit code 3 means that expectations failed. A retry would not help, so no task has one.
    validate = step("validate", "validate")
    # The report shows why a validation failed, so it follows that too, but not a failed build.
    report = step("report", "report", "all_done_min_one_success")
    # Other DAGs wait for this one. It ends the run as failed where the validation failed, whatever the report does.
    ready = step("ready", "query 'SELECT COUNT(*) AS attempts FROM flat.attempts'")

    land >> build >> validate >> ready
    [build, validate] >> report
