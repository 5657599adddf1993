-- ops.topic_offsets: one row per Kafka partition that a validation observed.
-- Reads: nothing: `validate` puts one file of JSON lines into the folder of the table
-- Writes: ops.topic_offsets_v1, ops.topic_offsets
-- Grain: run_id, kafka_topic, kafka_partition
-- Parameters: warehouse_root text
-- Usage: ./warehouse beeline -f sql/0_ops/topic_offsets_v1.sql
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS ops;

CREATE EXTERNAL TABLE IF NOT EXISTS ops.topic_offsets_v1 (
    run_id STRING COMMENT 'The validation, sorts by time',
    kafka_topic STRING COMMENT 'The Kafka topic',
    topic_id STRING COMMENT 'Id that the broker gave the topic, a new one if it is recreated',
    kafka_partition INT COMMENT 'The Kafka partition',
    start_offset BIGINT COMMENT 'The first offset the broker still held',
    end_offset BIGINT COMMENT 'The offset after the last message that the broker held',
    observed_at STRING COMMENT 'When it was observed, ISO-8601 in UTC'
)
COMMENT 'What the broker held when a validation ran, one row per run and Kafka partition'
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/ops/topic_offsets_v1';

CREATE OR REPLACE VIEW ops.topic_offsets AS SELECT * FROM ops.topic_offsets_v1;
