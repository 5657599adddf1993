-- ops.stored_files: one row per file that a validation found in the folders of published data.
-- Reads: nothing: the validation puts one file of JSON lines into the folder of the table
-- Writes: ops.stored_files_v1, ops.stored_files
-- Grain: run_id, path
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/stored_files_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.stored_files_v1 (
    run_id STRING COMMENT 'The validation, sorts by time: the greatest is the newest',
    path STRING COMMENT 'The file, from warehouse_root on',
    bytes BIGINT COMMENT 'Its length',
    file_checksum STRING COMMENT 'What HDFS gives as the checksum of its content'
)
COMMENT 'Files of landings and of the validated build, one row per run and file'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/stored_files_v1';

CREATE OR REPLACE VIEW ops.stored_files AS SELECT * FROM ops.stored_files_v1;
