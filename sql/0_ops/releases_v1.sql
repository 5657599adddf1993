-- ops.releases: one row per decision about a build.
-- Reads: nothing: `build` and `rollback` put one file of JSON lines into the folder of the table
-- Writes: ops.releases_v1, ops.releases
-- Grain: release
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/releases_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.releases_v1 (
    release BIGINT COMMENT 'Number of the decision, 1 is the first',
    action STRING COMMENT 'published, refused (a critical expectation is not met) or rolled back',
    build_id STRING COMMENT 'The build it is about, after a rollback the one that is back',
    previous_build_id STRING COMMENT 'The build one step back, NULL where there is none',
    landing BIGINT COMMENT 'The last landing that the build read',
    decided_at STRING COMMENT 'When it was decided, ISO-8601 in UTC'
)
COMMENT 'What was decided about builds, one row per release'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/releases_v1';

CREATE OR REPLACE VIEW ops.releases AS SELECT * FROM ops.releases_v1;
