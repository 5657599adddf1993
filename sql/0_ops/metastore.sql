-- ops.metastore: the tables, views and partitions that the commands last put into the metastore.
-- Reads: nothing: each command that changes one alters it
-- Writes: ops.metastore
-- Grain: one row
-- Parameters: hashes text
-- Usage: ./warehouse beeline -f sql/0_ops/metastore.sql --hivevar hashes=none
-- Purpose: a command finds what is out of date by one query. ./warehouse repair recreates what is
--     lost from HDFS and the SQL files.

CREATE DATABASE IF NOT EXISTS ops;

CREATE OR REPLACE VIEW ops.metastore AS
SELECT '${hashes}' AS hashes;
