-- ops.stored_files: one row per file that a validation compared, recorded or stored.
-- Reads: nothing: `validate` puts one file of JSON lines into the folder of the table
-- Writes: ops.stored_files_v1, ops.stored_files
-- Grain: run_id, path
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/stored_files_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.stored_files_v1 (
    run_id STRING COMMENT 'The validation, sorts by time',
    path STRING COMMENT 'The file, relative to warehouse_root',
    recorded_bytes BIGINT COMMENT 'Its length when it was written, NULL if not recorded',
    stored_bytes BIGINT COMMENT 'Its length on HDFS, NULL where it is missing there',
    recorded_checksum STRING COMMENT 'Its checksum when it was written, NULL if not recorded',
    stored_checksum STRING COMMENT 'Its checksum on HDFS, NULL where it is missing there'
)
COMMENT 'Files as recorded and as stored on HDFS, one row per run and file'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/stored_files_v1';

CREATE OR REPLACE VIEW ops.stored_files AS SELECT * FROM ops.stored_files_v1;
