-- ops.pseudonym_keys: one row per customer, with the key of its pseudonyms.
-- Reads: nothing: `customers add` puts a file of JSON lines into the folder
-- Writes: ops.pseudonym_keys_v1, ops.pseudonym_keys
-- Grain: database_name
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/pseudonym_keys_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Purpose: a pseudonym is HMAC-SHA256 of the attempt id. The key is read as data, so that it is in
--     no statement and no log. It is kept as the two pads that HMAC derives from it.

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.pseudonym_keys_v1 (
    database_name STRING COMMENT 'Database of the customer, nobody for exams without an owner',
    inner_pad STRING COMMENT 'The key XOR the inner pad of HMAC, 64 bytes in hexadecimal',
    outer_pad STRING COMMENT 'The key XOR the outer pad of HMAC, 64 bytes in hexadecimal'
)
COMMENT 'Keys of pseudonyms, one row per customer'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/pseudonym_keys_v1';

CREATE OR REPLACE VIEW ops.pseudonym_keys AS SELECT * FROM ops.pseudonym_keys_v1;
