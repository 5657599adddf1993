-- ops.expectation_results: one row per expectation that a validation looked at.
-- Reads: nothing: the validation puts one file of JSON lines into the folder of the table
-- Writes: ops.expectation_results_v1, ops.expectation_results
-- Grain: run_id, suite, expectation, column_name, reason
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/expectation_results_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.expectation_results_v1 (
    run_id STRING COMMENT 'The validation, sorts by time',
    release BIGINT COMMENT 'The release that was validated',
    table_name STRING COMMENT 'What was looked at, as readers name it: flat.attempts',
    suite STRING COMMENT 'Name of the suite',
    expectation STRING COMMENT 'Type of the expectation',
    column_name STRING COMMENT 'The column it is about, NULL where it is about the table',
    severity STRING COMMENT 'critical, warning or info',
    is_met BOOLEAN COMMENT 'Whether the data is as expected',
    observed STRING COMMENT 'What was found',
    reason STRING COMMENT 'Why it is expected, from the suite',
    validated_at STRING COMMENT 'When it was looked at, ISO-8601 in UTC'
)
COMMENT 'Results of validations, one row per run and expectation'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/expectation_results_v1';

CREATE OR REPLACE VIEW ops.expectation_results AS SELECT * FROM ops.expectation_results_v1;
