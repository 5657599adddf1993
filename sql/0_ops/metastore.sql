-- ops.metastore: the tables, views and partitions that the commands last put into the metastore.
-- Reads: nothing: each command that changes one alters it
-- Writes: ops.metastore
-- Grain: one row
-- Parameters: hashes text
-- Usage: ./warehouse beeline -f sql/0_ops/metastore.sql --hivevar hashes=none
-- Purpose: one query tells a command what is out of date. What is lost comes back from HDFS and the
--     SQL files: ./warehouse repair.

CREATE DATABASE IF NOT EXISTS ops;

CREATE OR REPLACE VIEW ops.metastore AS
SELECT '${hashes}' AS hashes;
