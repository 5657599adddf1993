-- customers.exam_periods: one row per exam and period in which a customer owned it.
-- Reads: ops.published
-- Writes: customers.exam_periods_v1, customers.exam_periods
-- Grain: exam_id, valid_from
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/5_customers/exam_periods_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Filled: `build` derives the periods of a release from ops.exam_owners and ops.customers and puts
--     a file of JSON lines into its partition. Periods of an exam do not overlap.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.exam_periods_v1 (
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    customer STRING COMMENT 'Database of the customer',
    valid_from STRING COMMENT 'First UTC day of the period, NULL for all days before its end',
    valid_to STRING COMMENT 'UTC day after its last, NULL for all days from its begin on'
)
COMMENT 'Who owned an exam when, one row per exam_id and period'
PARTITIONED BY (release BIGINT COMMENT 'The release that the row belongs to')
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/customers/exam_periods_v1';

CREATE OR REPLACE VIEW customers.exam_periods AS
SELECT exam_periods.*
FROM customers.exam_periods_v1 AS exam_periods
CROSS JOIN ops.published AS published
WHERE exam_periods.release = published.release;
