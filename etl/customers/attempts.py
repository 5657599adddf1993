"""Attempts of a customer to get out at the door: to read, learn or change what is not its own.

Each is a statement or a call of a client, and is refused, or returns nothing that must not be returned. `customers
check` makes them on the warehouse as it is, the tests on a warehouse with two customers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from etl.sqltext import in_quotes

VIEWS = ("attempts", "attempt_questions", "question_options", "exams", "questions", "daily_activity")
# Of everybody, and of the pipeline: none of it is a customer's.
SHARED = [
    "customers.owned_attempts_v1",
    "customers.owned_attempts",
    "customers.owned_question_options_v1",
    "customers.owned_exams",
    "customers.attempt_owners_v1",
    "customers.attempt_owners",
    "customers.exam_periods_v1",
    "flat.attempts",
    "flat.messages_v1",
    "flat.question_options",
    "marts.exams",
    "marts.exams_v1",
    "marts.questions",
    "raw.assessments",
    "raw.assessments_v1",
    "raw.landings",
    "raw.rejected_messages",
    "candidate.attempts",
    "ops.exam_owners",
    "ops.customers",
    "ops.pseudonym_keys",
    "ops.pseudonym_keys_v1",
    "ops.releases",
    "ops.expectation_results",
    "ops.published",
]


@dataclass(frozen=True)
class Attempt:
    """One attempt: its kind, a statement or else a call of the protocol, and what opens its session.

    `must_fail` says that it is refused whatever it returns; else its answer must not hold what is not its own.
    """

    kind: str
    statement: str
    must_fail: bool = True
    call: str = ""
    session: Mapping[str, str] = field(default_factory=dict)


def attempts(own: str, other: str, role: str, secret_exam: str) -> Iterator[Attempt]:
    """Everything that a user of the database `own` tries about the database `other`, its role, and an exam of it."""
    secret_exam = in_quotes(secret_exam)
    tables = [f"{other}.{view}" for view in VIEWS] + [f"{other}.{view}_v1" for view in VIEWS]
    for table in (*tables, *SHARED):
        yield Attempt("base tables and views of others", TABLE.format(table=table))
    for template in READS:
        for table in (f"{other}.attempts", f"{other}.attempts_v1"):
            kind = template.split()[0] if template.split()[0] in ("EXPLAIN", "DESCRIBE", "SHOW") else "queries"
            yield Attempt(kind, template.format(table=table, own=own, exam=secret_exam))
    for statement in REFUSED:
        yield Attempt("statements", statement.format(own=own, other=other, role=role, exam=secret_exam))
    for statement in HARMLESS:
        yield Attempt("answers", statement.format(own=own, other=other, role=role, exam=secret_exam), must_fail=False)
    for call in CALLS:
        yield Attempt("calls", f"{call} {other}", must_fail=False, call=call)
    for name, value, statement in SESSIONS:
        yield Attempt("sessions", statement, session={name: value.format(other=other)})


TABLE = "SELECT * FROM {table} LIMIT 1"
READS = (
    TABLE,
    "SELECT COUNT(*) FROM {table}",
    "WITH stolen AS (SELECT * FROM {table}) SELECT * FROM stolen",
    "SELECT 1 FROM {own}.attempts AS a JOIN {table} AS b ON a.exam_id = b.exam_id",
    "SELECT 1 FROM {own}.attempts AS a WHERE a.exam_id IN (SELECT exam_id FROM {table})",
    "SELECT 1 FROM {own}.attempts AS a WHERE EXISTS (SELECT 1 FROM {table} AS b WHERE b.exam_id = a.exam_id)",
    "SELECT exam_id FROM {own}.attempts UNION ALL SELECT exam_id FROM {table}",
    "SELECT MAX(exam_id) FROM (SELECT * FROM {table}) AS stolen",
    "SELECT * FROM {table} TABLESAMPLE (1 ROWS)",
    "SELECT word FROM {table} LATERAL VIEW EXPLODE(SPLIT(exam_name, ' ')) words AS word",
    "SELECT INPUT__FILE__NAME, BLOCK__OFFSET__INSIDE__FILE FROM {table}",
    "SELECT 1 FROM {table} WHERE exam_id = '{exam}'",
    "SELECT 1 FROM {table} WHERE CASE WHEN exam_name = 'x' THEN exam_name RLIKE CONCAT('(', exam_id) ELSE TRUE END",
    "EXPLAIN SELECT * FROM {table}",
    "EXPLAIN EXTENDED SELECT * FROM {table}",
    "EXPLAIN FORMATTED SELECT * FROM {table}",
    "EXPLAIN CBO SELECT * FROM {table}",
    "EXPLAIN AST SELECT * FROM {table}",
    "EXPLAIN DEPENDENCY SELECT * FROM {table}",
    "EXPLAIN AUTHORIZATION SELECT * FROM {table}",
    "EXPLAIN LOCKS SELECT * FROM {table}",
    "EXPLAIN VECTORIZATION SELECT * FROM {table}",
    "EXPLAIN ANALYZE SELECT * FROM {table}",
    "DESCRIBE {table}",
    "DESCRIBE EXTENDED {table}",
    "DESCRIBE FORMATTED {table}",
    "DESCRIBE FORMATTED {table} exam_name",
    "SHOW CREATE TABLE {table}",
    "SHOW COLUMNS IN {table}",
    "SHOW PARTITIONS {table}",
    "SHOW TBLPROPERTIES {table}",
    "SHOW GRANT ON TABLE {table}",
)
REFUSED = (
    "ANALYZE TABLE {own}.attempts_v1 COMPUTE STATISTICS",
    "INSERT INTO {other}.attempts_v1 PARTITION (release = 1, customer = 'x') SELECT * FROM {own}.attempts",
    "INSERT OVERWRITE DIRECTORY '/tmp/stolen' SELECT * FROM {own}.attempts",
    "INSERT OVERWRITE LOCAL DIRECTORY '/tmp/stolen' SELECT * FROM {own}.attempts",
    "INSERT INTO {own}.attempts_v1 PARTITION (release = 1, customer = 'x') SELECT * FROM {own}.attempts",
    "CREATE TABLE {own}.stolen AS SELECT * FROM {own}.attempts",
    "CREATE TABLE default.stolen (word STRING)",
    "CREATE TABLE {own}.stolen LIKE {other}.attempts_v1",
    "CREATE TEMPORARY TABLE stolen AS SELECT * FROM {other}.attempts",
    "CREATE EXTERNAL TABLE {own}.stolen (word STRING) LOCATION '/tmp/stolen'",
    "CREATE EXTERNAL TABLE default.stolen (word STRING) STORED AS TEXTFILE LOCATION '{{root}}/raw'",
    "CREATE VIEW {own}.stolen AS SELECT * FROM {other}.attempts",
    "CREATE VIEW default.stolen AS SELECT * FROM {other}.attempts",
    "CREATE DATABASE stolen",
    "ALTER TABLE {own}.attempts_v1 SET LOCATION '/tmp/stolen'",
    "ALTER TABLE {own}.attempts_v1 ADD PARTITION (release = 99, customer = 'x') LOCATION '/tmp/stolen'",
    "ALTER TABLE {other}.attempts_v1 RENAME TO {own}.stolen",
    "ALTER VIEW {own}.attempts AS SELECT * FROM {other}.attempts",
    "ALTER DATABASE {other} SET OWNER USER stolen",
    "DROP TABLE {other}.attempts_v1",
    "DROP VIEW {other}.attempts",
    "DROP VIEW {own}.attempts",
    "DROP DATABASE {other} CASCADE",
    "TRUNCATE TABLE {other}.attempts_v1",
    "LOAD DATA INPATH '/tmp' INTO TABLE {own}.attempts_v1 PARTITION (release = 1, customer = 'x')",
    "EXPORT TABLE {other}.attempts_v1 TO '/tmp/stolen'",
    "IMPORT TABLE {own}.stolen FROM '/tmp/stolen'",
    "SELECT TRANSFORM (exam_id) USING 'cat' AS (word STRING) FROM {own}.attempts",
    "CREATE FUNCTION stolen AS 'org.apache.hadoop.hive.ql.udf.UDFLength'",
    "CREATE TEMPORARY FUNCTION stolen AS 'org.apache.hadoop.hive.ql.udf.UDFLength'",
    "SELECT reflect('java.lang.System', 'getProperty', 'user.name')",
    "SELECT java_method('java.lang.System', 'getProperty', 'user.name')",
    "SELECT reflect2(1, 'toString')",
    "SELECT in_file('a', '/etc/passwd')",
    "SELECT xpath('<a>1</a>', 'a')",
    "SELECT get_splits('SELECT * FROM {other}.attempts', 1)",
    "SELECT version()",
    "SELECT logged_in_user()",
    "SELECT mask('a')",
    "SET ROLE ADMIN",
    "SET ROLE {role}",
    "SHOW ROLES",
    "SHOW PRINCIPALS {role}",
    "SHOW GRANT ROLE {role} ON ALL",
    "SHOW ROLE GRANT ROLE {role}",
    "SHOW ROLE GRANT USER customers_admin",
    "GRANT ROLE {role} TO USER stolen",
    "GRANT SELECT ON TABLE {other}.attempts TO USER stolen",
    "CREATE ROLE stolen",
    "DROP ROLE {role}",
    "SET",
    "SET -v",
    "SET hive.security.authorization.enabled=false",
    "SET hive.optimize.ppd=false",
    "SET hive.variable.substitute=true",
    "SET hive.exec.pre.hooks=x",
    "SET hiveconf:hive.security.authorization.enabled=false",
    "SET system:user.name",
    "SET env:HOME",
    "SET metaconf:hive.metastore.try.direct.sql=false",
    "RESET",
    "DFS -ls /",
    "ADD JAR /tmp/stolen.jar",
    "ADD FILE /etc/passwd",
    "LIST JARS",
    "DELETE JAR /tmp/stolen.jar",
    "COMPILE `x` AS GROOVY NAMED x.groovy",
    "RELOAD",
    "CRYPTO LIST_KEYS",
    "KILL QUERY 'x'",
    "SHOW TRANSACTIONS",
    "SHOW COMPACTIONS",
    "SHOW LOCKS {other}.attempts",
    "SHOW CONF 'hive.users.in.admin.role'",
    "CREATE SCHEDULED QUERY stolen CRON '* * * * * ? *' AS SELECT 1",
    "SHOW RESOURCE PLANS",
    "MSCK REPAIR TABLE {own}.attempts_v1",
    "LOCK TABLE {own}.attempts SHARED",
    "CREATE CONNECTOR stolen TYPE 'mysql' URL 'jdbc:mysql://127.0.0.1:1/x'",
    "SHOW CONNECTORS",
    "REPL DUMP {other}",
    "REPL STATUS {other}",
    "FROM {own}.attempts INSERT OVERWRITE DIRECTORY '/tmp/stolen' SELECT exam_id",
    "PREPARE stolen FROM SELECT exam_id FROM {other}.attempts",
    "EXPLAIN INSERT OVERWRITE DIRECTORY '/tmp/stolen' SELECT * FROM {own}.attempts",
    "SELECT * FROM {own}.attempts_v1",
)
HARMLESS = (  # it may be answered, without what is not the user's
    "SHOW DATABASES",
    "SHOW TABLES",
    "SHOW TABLES IN {other}",
    "SHOW VIEWS IN {other}",
    "SHOW TABLE EXTENDED IN {other} LIKE '*'",
    "SHOW MATERIALIZED VIEWS IN {other}",
    "SHOW CURRENT ROLES",
    "SHOW GRANT",
    "SHOW FUNCTIONS",
    "SHOW LOCKS",
    "DESCRIBE DATABASE {other}",
    "DESCRIBE DATABASE EXTENDED {other}",
    "DESCRIBE FUNCTION EXTENDED length",
    "USE {other}",
    "DESCRIBE FORMATTED {own}.attempts",
    "DESCRIBE FORMATTED {own}.attempts_v1",
    "SHOW CREATE TABLE {own}.attempts",
    "EXPLAIN EXTENDED SELECT * FROM {own}.attempts",
    "EXPLAIN DEPENDENCY SELECT * FROM {own}.attempts",
    "EXPLAIN FORMATTED SELECT COUNT(*) FROM {own}.attempts",
    "SELECT * FROM {own}.attempts",
    "SELECT * FROM {own}.exams",
    "SELECT * FROM {own}.questions",
    "SELECT DISTINCT INPUT__FILE__NAME FROM {own}.attempts_v1",
    "SELECT exam_name FROM {own}.attempts WHERE exam_id = '{exam}'",
    "SELECT 1 FROM {own}.attempts WHERE CASE WHEN exam_name <> '' THEN exam_name RLIKE CONCAT('(', exam_id) "
    "ELSE TRUE END",
    "SELECT CAST(exam_name AS INT) FROM {own}.exams WHERE ASSERT_TRUE(exam_id = '{exam}') IS NULL",
    "SELECT '${{env:HOME}} ${{system:user.name}} ${{hiveconf:hive.metastore.uris}}'",
    "SELECT current_user()",
    "SELECT current_database()",
    "SELECT * FROM {own}.no_such_table",
    "SELECT no_such_column FROM {own}.attempts",
)
SESSIONS = (  # a setting that opens the session, its value, and a statement in it
    ("set:hiveconf:hive.security.authorization.enabled", "false", "SELECT 1"),
    ("set:hiveconf:hive.server2.enable.doAs", "true", "SELECT 1"),
    ("set:hivevar:mode", "HPLSQL", "HOST 'id'"),
    ("set:hivevar:mode", "HPLSQL", "!id"),
    ("use:database", "{other}", "SELECT 1"),
    ("hive.server2.proxy.user", "customers_admin", "SELECT 1"),
    ("set:system:user.name", "customers_admin", "SELECT 1"),
    ("set:env:HOME", "{other}", "SELECT 1"),
)
CALLS = ["GetCatalogs", "GetSchemas", "GetTables", "GetColumns", "GetFunctions", "GetTypeInfo", "GetTableTypes"]
CALLS += ["GetPrimaryKeys", "GetCrossReference", "GetInfo"]
