-- ops.expectation_results: one row per expectation that a validation checked.
-- Reads: nothing: `validate` puts one file of JSON lines into the folder of the table
-- Writes: ops.expectation_results_v1, ops.expectation_results
-- Grain: run_id, suite, expectation, column_name, reason
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/expectation_results_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.expectation_results_v1 (
    run_id STRING COMMENT 'The validation, sorts by time',
    release BIGINT COMMENT 'The release that was validated',
    table_name STRING COMMENT 'The table, by the name that readers use: flat.attempts',
    suite STRING COMMENT 'Name of the suite',
    expectation STRING COMMENT 'The rule, with its bounds: between 0 and 1',
    column_name STRING COMMENT 'The column that it applies to, NULL for the whole table',
    severity STRING COMMENT 'critical, warning or info',
    is_met BOOLEAN COMMENT 'Whether the data meets it',
    observed STRING COMMENT 'Result in words: 2 of 3 rows fail',
    reason STRING COMMENT 'Why it is expected, from the suite',
    validated_at STRING COMMENT 'When the validation began, ISO-8601 in UTC'
)
COMMENT 'Results of validations, one row per run and expectation'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/expectation_results_v1';

CREATE OR REPLACE VIEW ops.expectation_results AS SELECT * FROM ops.expectation_results_v1;
