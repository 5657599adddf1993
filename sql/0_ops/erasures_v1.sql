-- ops.erasures: one row per erased attempt and step of its erasure.
-- Reads: nothing: `erase` puts files of JSON lines into the folder of the table
-- Writes: ops.erasures_v1, ops.erasures
-- Grain: erasure_id, action, attempt_hash
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/erasures_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Hashes: HMAC-SHA256 of the id, cut to 128 bits. The key lies in the home that erased, so that
--     `land` recognizes a message that is published again.

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.erasures_v1 (
    erasure_id STRING COMMENT 'The erasure, sorts by time',
    action STRING COMMENT 'requested or completed',
    attempt_hash STRING COMMENT 'Keyed hash of the id of the attempt',
    key_id STRING COMMENT 'Keyed hash of nothing: the same for the same key',
    reason STRING COMMENT 'Why it was erased',
    decided_at STRING COMMENT 'When it was requested or completed, ISO-8601 in UTC'
)
COMMENT 'Erased attempts, one row per erasure, action and attempt'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/erasures_v1';

CREATE OR REPLACE VIEW ops.erasures AS SELECT * FROM ops.erasures_v1;
