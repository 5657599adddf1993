"""What the page to ask on sends, and what it does not: nothing that could do more than read reaches a server."""

from __future__ import annotations

import pytest

from etl import sqlfile
from etl.errors import UsageError
from etl.serve.readonly import LONGEST, reading

ENGINES = ("spark", "hive")
READS = r"""
SELECT 1
select 1;
SELECT 1 -- the first
SHOW DATABASES
SHOW TABLES IN flat LIKE 'a*'
SHOW CREATE TABLE flat.attempts_v1
SHOW PARTITIONS flat.attempts_v1
SHOW COLUMNS FROM flat.attempts
DESCRIBE flat.attempts
DESC FORMATTED flat.attempts_v1
DESCRIBE flat.attempts_v1 PARTITION (build_id = 'x')
DESCRIBE DATABASE EXTENDED flat
DESCRIBE FUNCTION EXTENDED explode
DESCRIBE QUERY WITH a AS (SELECT 1 AS b) SELECT * FROM a
EXPLAIN SELECT 1
EXPLAIN FORMATTED WITH a AS (SELECT ';' AS b) SELECT * FROM a
SELECT ';', "; DROP TABLE x", `a;b` FROM t
SELECT TRANSFORM(a, x -> x + 1) FROM t
SELECT * FROM a JOIN b USING (c)
SELECT 5L, 1.5BD, -1, - -1, 2 - 1, a / b * c FROM t
SELECT a FROM t LATERAL VIEW OUTER EXPLODE(x) v AS y
SELECT DATE '2018-01-01' + INTERVAL 1 DAY
SELECT `Anzahl Prüfungen` AS `a b` FROM t
SELECT 'ünï 数', 'a''b', 'it\'s', "say \"so\""
SELECT t.delete, t.`update` FROM t
SELECT a, COUNT(*) FROM t GROUP BY a WITH ROLLUP
SELECT * FROM t WHERE a RLIKE '^\\d+$'
SELECT MAP('a', 1)['a'], NAMED_STRUCT('x', 1).x FROM spark_catalog.flat.attempts
SELECT * FROM VALUES (1), (2) AS t(a)
SELECT RANK() OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t
SELECT a FROM t TABLESAMPLE (5 ROWS)
SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1
""".strip().splitlines()
WRITES = r"""
INSERT INTO t SELECT 1
INSERT OVERWRITE DIRECTORY '/tmp/x' SELECT * FROM t
CREATE TABLE t AS SELECT 1
CREATE TEMPORARY FUNCTION f AS 'x.Y' USING JAR '/x.jar'
DROP TABLE t
ALTER TABLE t DROP PARTITION (a = 1)
TRUNCATE TABLE t
DELETE FROM t
UPDATE t SET a = 1
MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE
LOAD DATA INPATH '/x' INTO TABLE t
EXPORT TABLE t TO '/x'
MSCK REPAIR TABLE t
ANALYZE TABLE t COMPUTE STATISTICS
REFRESH TABLE t
CACHE TABLE t
USE flat
SET x=1
RESET
ADD JAR /x.jar
LIST JARS
DFS -ls /
!ls
source x.sql
EXECUTE IMMEDIATE 'DROP TABLE t'
BEGIN SELECT 1; END
CALL system.x()
GRANT SELECT ON t TO x
KILL QUERY 'x'
TABLE t
VALUES (1)
FROM t SELECT a
FROM t INSERT INTO u SELECT a
(SELECT 1)
WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a
WITH a AS (SELECT 1) FROM a INSERT INTO t SELECT * INSERT INTO u SELECT *
WITH a AS (DELETE FROM t) SELECT 1
WITH a AS (INSERT INTO t SELECT 1) SELECT * FROM a
SELECT * FROM a, (INSERT INTO t SELECT 1)
SELECT a INTO t FROM u
EXPLAIN INSERT INTO t SELECT 1
EXPLAIN EXTENDED DROP TABLE t
EXPLAIN ANALYZE SELECT 1
EXPLAIN
EXPLAIN EXPLAIN SELECT 1
DESCRIBE INSERT INTO t SELECT 1 FROM u
DESCRIBE
SHOW
SHOW CONF 'hive.metastore.uris'
SHOW TABLES; DROP TABLE t
SELECT 1; SELECT 2
SELECT 1; DROP TABLE t
EXPLAIN SELECT 1; DROP TABLE t
""".strip().splitlines()
HOSTILE = r"""
SELECT TRANSFORM(a) USING 'cat' AS b FROM t
SELECT * FROM (FROM t MAP a USING 'cat' AS b) c
SELECT * FROM (FROM t REDUCE a USING 'cat' AS b) c
SELECT reflect('java.lang.System', 'exit', 1)
SELECT `reflect` ('java.lang.System', 'exit', 1)
SELECT system.builtin.REFLECT/**/('java.lang.System', 'exit', 1)
SELECT java_method('java.lang.System', 'exit', 1)
SELECT try_reflect('java.lang.System', 'exit', 1)
SELECT a FROM t LATERAL VIEW reflect('java.lang.System', 'exit', 1) v AS y
EXPLAIN SELECT java_method('java.lang.System', 'exit', 1)
SELECT in_file('root', '/etc/passwd')
SELECT IDENTIFIER('reflect')('java.lang.System', 'exit', 1)
SELECT * FROM IDENTIFIER('json.`/etc/passwd`')
SELECT * FROM read_files('/etc/passwd')
SELECT * FROM text.`file:///etc/passwd`
SELECT * FROM TEXT.passwd
SELECT * FROM `json`.`x`
SELECT * FROM a JOIN parquet.`hdfs://x/y` b ON a.c = b.c
SELECT 1 WHERE EXISTS (SELECT 1 FROM csv.x)
SELECT * FROM `org.apache.spark.sql.json`.`/x`
SELECT * FROM spark_catalog.orc.x
SELECT * FROM (TABLE text.`/etc/passwd`)
DESCRIBE json.`/etc/passwd`
DESCRIBE text.passwd
SHOW CREATE TABLE json.`/etc/passwd`
SELECT * FROM t WITH (path = '/etc/passwd')
SELECT '${env:HOME}'
SELECT ${hiveconf:x}
SELECT `${system:user.name}`
SELECT /*+ BROADCAST(t) */ * FROM t
FROM t |> SELECT a
SELECT * FROM t |> SELECT a
SELECT r'\', reflect('java.lang.System', 'exit', 1), r'\' --'
SELECT 5R'\' , 1 AS b, '\'
SELECT 'open
SELECT "open
SELECT `open
SELECT `a\`, 1
SELECT 1 /* open
SELECT ?
SELECT :name
SELECT @@version
SELECT {{ x }}
SELECT FROM WHERE
SELECT 1 FROM t FOR UPDATE
/* nothing */
;
""".strip().splitlines()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("statement", READS)
def test_what_reads_is_sent(statement: str, engine: str) -> None:
    sent = reading(statement, engine)
    assert sent.split() == statement.partition(" -- ")[0].rstrip(";").split()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("statement", [*WRITES, *HOSTILE, "", " ", "\ufeff", "x" * (LONGEST + 1), "SELECT '\x00'"])
def test_what_could_do_more_is_refused(statement: str, engine: str) -> None:
    with pytest.raises(UsageError) as caught:
        reading(statement, engine)
    assert caught.value.step and len(str(caught.value)) < 500


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_nested_too_deep_is_refused(engine: str) -> None:
    with pytest.raises(UsageError, match="nested too deep"):
        reading(f"SELECT {'(' * 5000}1{')' * 5000}", engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("file", sqlfile.files("4_reports"), ids=lambda file: file.name)
def test_every_question_of_the_report_is_sent_token_by_token(file: sqlfile.SqlFile, engine: str) -> None:
    def tokens(text: str) -> list[str]:
        return [text[one.start : one.end + 1] for one in sqlfile._tokens(text)]

    (said,) = sqlfile.split(file.text)
    assert " ".join(" ".join(tokens(reading(file.text, engine))).split()) == " ".join(" ".join(tokens(said)).split())


def test_no_comment_is_sent_and_blanks_are_plain() -> None:
    """Behind `\\` at the end of a line Spark goes on with a comment; it knows blanks that Hive does not."""
    assert reading("SELECT /* INSERT */ 1 -- ; DROP TABLE t", "hive") == "SELECT 1"
    assert reading("SELECT -- a \\\n/* b\n*/ 1\u00a0-/**/-1,\u20032;\n-- c", "spark") == "SELECT\n\n1 - -1, 2"


@pytest.mark.parametrize(
    ("statement", "end"),
    [
        ("SELECT a FROM t", "\nLIMIT 5"),
        ("WITH a AS (SELECT 1 LIMIT 1) SELECT * FROM a;", "\nLIMIT 5"),
        ("SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1 -- all", "\nLIMIT 5"),
        ("SELECT a FROM t LIMIT 9", " LIMIT 9"),
        ("SELECT a FROM t UNION ALL SELECT b FROM u LIMIT 9", " LIMIT 9"),
        ("SHOW TABLES", " TABLES"),
        ("EXPLAIN SELECT 1", " 1"),
    ],
)
def test_a_query_without_a_limit_of_its_own_gets_one(statement: str, end: str) -> None:
    assert reading(statement, "spark", 5).endswith(end)
