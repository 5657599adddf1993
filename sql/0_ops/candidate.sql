-- ops.candidate: the release being built. Every view of the database candidate joins it.
-- Reads: nothing: `build` alters it
-- Writes: ops.candidate
-- Grain: one row
-- Parameters: release integer, landing integer
-- Usage: ./warehouse beeline -f sql/0_ops/candidate.sql --hivevar release=1 --hivevar landing=1
-- Purpose: marts and suites read the views of candidate. These have the text of the readers views,
--     so that a release can be queried before it is published.

CREATE DATABASE IF NOT EXISTS ops;

CREATE OR REPLACE VIEW ops.candidate AS
SELECT
    CAST(${release} AS BIGINT) AS release,
    CAST(${landing} AS BIGINT) AS landing;
