-- ops.published: the release that readers see. Every view of flat and marts joins it.
-- Reads: nothing: `build` and `rollback` alter it
-- Writes: ops.published
-- Grain: one row
-- Parameters: release integer, landing integer
-- Usage: ./warehouse beeline -f sql/0_ops/published.sql --hivevar release=1 --hivevar landing=1
-- Switch: one call to the metastore, so that all tables change at once, on both engines.

CREATE DATABASE IF NOT EXISTS ops;

CREATE OR REPLACE VIEW ops.published AS
SELECT
    CAST(${release} AS BIGINT) AS release,
    CAST(${landing} AS BIGINT) AS landing;
