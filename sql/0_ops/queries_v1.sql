-- ops.queries: one row per statement and login where customers query.
-- Reads: nothing: `build` and `customers queries` put the lines of its log into the folder
-- Writes: ops.queries_v1, ops.queries
-- Grain: started_at, user_name, session_id, statement_text
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/queries_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.queries_v1 (
    started_at STRING COMMENT 'When it began, ISO-8601 in UTC',
    user_name STRING COMMENT 'The login, also one that is refused',
    client_address STRING COMMENT 'Address of the client, NULL for a login',
    session_id STRING COMMENT 'The session, NULL for a login',
    statement_text STRING COMMENT 'The statement as it was sent, NULL for a login',
    outcome STRING COMMENT 'succeeded, failed, refused, logged in, login refused, unreadable',
    seconds DOUBLE COMMENT 'From its begin to its outcome, NULL for a login'
)
COMMENT 'Statements and logins of customers, one row each'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/queries_v1';

CREATE OR REPLACE VIEW ops.queries AS SELECT * FROM ops.queries_v1;
