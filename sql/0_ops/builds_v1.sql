-- ops.builds: one row per table of a build.
-- Reads: nothing: the build puts one file of JSON lines into the folder of the table
-- Writes: ops.builds_v1, ops.builds
-- Grain: build_id, table_name
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/builds_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.builds_v1 (
    build_id STRING COMMENT 'The build, sorts by time',
    table_name STRING COMMENT 'The versioned table: flat.attempts_v1',
    file STRING COMMENT 'The SQL file, from the project folder on',
    sha256 STRING COMMENT 'Hash of what the file says without its comments and blanks',
    engine STRING COMMENT 'What ran it: spark or hive',
    landing BIGINT COMMENT 'The last landing that was read',
    written_by STRING COMMENT 'The build that wrote rows last, an earlier one if nothing changed',
    started_at STRING COMMENT 'When the first statement was sent, ISO-8601 in UTC',
    seconds DOUBLE COMMENT 'How long all statements of the file took',
    row_count BIGINT COMMENT 'Rows of the table after the build',
    parts ARRAY<STRUCT<name: STRING, folder: STRING>>
    COMMENT 'Its partitions below the build, by name, and where they lie, from warehouse_root on',
    files ARRAY<STRUCT<path: STRING, bytes: BIGINT, file_checksum: STRING>>
    COMMENT 'Its files, from warehouse_root on'
)
COMMENT 'The ledger of builds, one row per build_id and table_name'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/builds_v1';

CREATE OR REPLACE VIEW ops.builds AS SELECT * FROM ops.builds_v1;
