-- ops.published: the build that readers see. Every view of flat and marts looks here.
-- Reads: nothing: `build` and `rollback` write it anew
-- Writes: ops.published
-- Grain: one row
-- Parameters: release integer, build_id identifier, previous_build_id identifier, landing integer
-- Usage: ./warehouse beeline -f sql/0_ops/published.sql --hivevar release=1
--     --hivevar build_id=b20261124T001502Z --hivevar previous_build_id=none --hivevar landing=1
-- Switch: one call to the metastore, so that all tables change at once, on both engines.

CREATE DATABASE IF NOT EXISTS ops;

CREATE OR REPLACE VIEW ops.published AS
SELECT
    CAST(${release} AS BIGINT) AS release,
    '${build_id}' AS build_id,
    '${previous_build_id}' AS previous_build_id,
    CAST(${landing} AS BIGINT) AS landing;
