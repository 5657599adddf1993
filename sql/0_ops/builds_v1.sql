-- ops.builds: one row per table that a build wrote.
-- Reads: nothing: the build puts one file of JSON lines into the folder of the table
-- Writes: ops.builds_v1, ops.builds
-- Grain: build_id, table_name
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/builds_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.builds_v1 (
    build_id STRING COMMENT 'The build, sorts by time',
    table_name STRING COMMENT 'What was built, as readers name it: flat.attempts',
    file STRING COMMENT 'The SQL file, from the project folder on',
    version INT COMMENT 'The number behind _v in the name of the file',
    sha256 STRING COMMENT 'Hash of the bytes of the file',
    engine STRING COMMENT 'What ran it: spark or hive',
    landing BIGINT COMMENT 'The last landing that was read',
    started_at STRING COMMENT 'When the first statement was sent, ISO-8601 in UTC',
    seconds DOUBLE COMMENT 'How long all statements of the file took',
    row_count BIGINT COMMENT 'Rows of the table after the build'
)
COMMENT 'The ledger of builds, one row per build_id and table_name'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/builds_v1';

CREATE OR REPLACE VIEW ops.builds AS SELECT * FROM ops.builds_v1;
