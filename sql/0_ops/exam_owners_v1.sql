-- ops.exam_owners: one row per exam and period that was assigned to a customer.
-- Reads: nothing: `customers assign` puts a file of JSON lines into the folder
-- Writes: ops.exam_owners_v1, ops.exam_owners
-- Grain: assignment_number, exam_id, valid_from
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/exam_owners_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Transfers: rows are only added. A transfer takes its period from the owner before. Without one,
--     a period that overlaps another is refused.

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.exam_owners_v1 (
    assignment_number BIGINT COMMENT 'Number of the command that added it, 1 is the first',
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    customer STRING COMMENT 'The customer, or nobody',
    valid_from STRING COMMENT 'First UTC day of the period, NULL for all days before its end',
    valid_to STRING COMMENT 'UTC day after its last, NULL for all days from its begin on',
    is_transfer BOOLEAN COMMENT 'Whether the period is taken from who owned it before',
    assigned_at STRING COMMENT 'When it was assigned, ISO-8601 in UTC'
)
COMMENT 'Which customer owned which exam when, one row per assignment, exam and period'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/exam_owners_v1';

CREATE OR REPLACE VIEW ops.exam_owners AS SELECT * FROM ops.exam_owners_v1;
