"""The warehouse as an Airflow DAG: the steps of `./warehouse run`, each a task, so that the one that failed is seen."""

import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = "/opt/warehouse"  # on every worker, and so is the file of settings
SETTINGS = "/etc/warehouse/cluster.env"


def step(name: str, command: str, rule: str = "all_success") -> BashOperator:
    """A task that runs one command of ./warehouse; what it says and its exit code are the task's log."""
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
    # Exit code 3 means that expectations failed. To try again would not help, so no task has retries.
    validate = step("validate", "validate")
    # People look at the report to see why, so it follows a failed validation too, but not a failed build.
    report = step("report", "report", "all_done_min_one_success")
    # Other DAGs wait for this one. It ends the run as failed where the validation failed, whatever the report does.
    ready = step("ready", "query 'SELECT COUNT(*) AS attempts FROM flat.attempts'")

    land >> build >> validate >> ready
    [build, validate] >> report
