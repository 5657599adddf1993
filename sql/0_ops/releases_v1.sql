-- ops.releases: one row per event in the life of a release.
-- Reads: nothing: `build`, `rollback`, `retire`, `clean`, `erase` put JSON lines into the folder
-- Writes: ops.releases_v1, ops.releases
-- Grain: event
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/releases_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Order: an event takes its number by a rename that fails where it is taken already, so the
--     log is one line of events. A release has the number of the event that started it.

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.releases_v1 (
    event BIGINT COMMENT 'Number of the event, 1 is the first',
    action STRING COMMENT 'started, published, rejected, rolled back, retired, cleaned or erased',
    release BIGINT COMMENT 'The release, after a rollback the one that readers see again',
    landing BIGINT COMMENT 'The last landing that the release shows',
    engine STRING COMMENT 'Engine of the build: spark or hive',
    table_versions ARRAY<STRUCT<
        table_name: STRING,
        view_name: STRING,
        sha256: STRING,
        seconds: DOUBLE,
        files: ARRAY<STRUCT<path: STRING, bytes: BIGINT, file_checksum: STRING>>
    >> COMMENT 'Tables of a published release: hash of the SQL file, what its build wrote',
    decided_at STRING COMMENT 'When it happened, ISO-8601 in UTC'
)
COMMENT 'The log of releases, one row per event'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/releases_v1';

CREATE OR REPLACE VIEW ops.releases AS SELECT * FROM ops.releases_v1;
