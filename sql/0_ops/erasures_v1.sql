-- ops.erasures: one row per erased attempt and step, or per table that lost old messages.
-- Reads: nothing: `erase` and `clean` put files of JSON lines into the folder of the table
-- Writes: ops.erasures_v1, ops.erasures
-- Grain: erasure_id, action, attempt_hash, table_name
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/erasures_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Hashes: HMAC-SHA256 of the id, cut to 128 bits. The key lies in the home that erased, so that
--     `land` recognizes a message that is published again.

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.erasures_v1 (
    erasure_id STRING COMMENT 'The erasure, sorts by time',
    action STRING COMMENT 'requested, completed, or expired (old messages of a table)',
    attempt_hash STRING COMMENT 'Keyed hash of the id of the attempt, NULL if expired',
    key_id STRING COMMENT 'Keyed hash of nothing: the same for the same key, NULL if expired',
    reason STRING COMMENT 'Why it was erased, NULL if expired',
    table_name STRING COMMENT 'The raw table that lost its old messages, NULL for an attempt',
    kept_from STRING COMMENT 'The day of the first message that it keeps, NULL for an attempt',
    decided_at STRING COMMENT 'When that was, ISO-8601 in UTC'
)
COMMENT 'Erasures, one row per action and attempt or table'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/erasures_v1';

CREATE OR REPLACE VIEW ops.erasures AS SELECT * FROM ops.erasures_v1;
