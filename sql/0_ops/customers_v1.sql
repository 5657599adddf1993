-- ops.customers: one row per change to the list of customers, the last one of a name counts.
-- Reads: nothing: `customers add` and `customers remove` put a file of JSON lines into the folder
-- Writes: ops.customers_v1, ops.customers
-- Grain: change_number
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/customers_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.customers_v1 (
    change_number BIGINT COMMENT 'Number of the change, 1 is the first',
    customer STRING COMMENT 'Name of the customer, which no customer can read',
    database_name STRING COMMENT 'Database that holds the tables of the customer',
    is_removed BOOLEAN COMMENT 'Whether the change removed the customer',
    changed_at STRING COMMENT 'When it happened, ISO-8601 in UTC'
)
COMMENT 'Changes to the list of customers, one row per change'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/customers_v1';

CREATE OR REPLACE VIEW ops.customers AS SELECT * FROM ops.customers_v1;
