-- raw.canaries: one row per canary, a message that only proves the way from Kafka to the views.
-- Reads: nothing: `land` and `compact` add partitions
-- Writes: raw.canaries_v1, raw.canaries
-- Grain: kafka_topic, kafka_partition, kafka_offset
-- Parameters: warehouse_root text, compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/1_raw/canaries_v1.sql --hivevar compaction=0
--     --hivevar compacted=0 --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Canaries: `canary` publishes them. No contract accepts them, and `land` keeps them apart from the
--     rejected messages, so that no figure counts them.
-- Compactions: `compaction` and `compacted` are 0 until `compact` has run, then its number and
--     the last landing that it covers, as in the current view (SHOW CREATE TABLE).

CREATE DATABASE IF NOT EXISTS raw;

CREATE EXTERNAL TABLE IF NOT EXISTS raw.canaries_v1 (
    landing BIGINT COMMENT 'Number of the landing that brought it',
    kafka_topic STRING COMMENT 'The Kafka topic',
    kafka_partition INT COMMENT 'The Kafka partition',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    kafka_timestamp BIGINT COMMENT 'When it was published, milliseconds since 1970 in UTC'
)
COMMENT 'Messages that prove the way to the views, one row per Kafka topic, partition and offset'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Number of the compaction that lists the folder, 0 for none',
    last_landing BIGINT COMMENT 'The last landing whose lines the folder holds'
)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/raw/canaries_v1';

CREATE OR REPLACE VIEW raw.canaries AS
SELECT *
FROM raw.canaries_v1
WHERE compaction = ${compaction} OR (compaction = 0 AND last_landing > ${compacted});
