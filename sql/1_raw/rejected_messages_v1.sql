-- raw.rejected_messages: one row per message that is not strict JSON or does not fit the contract.
-- Reads: raw.landings
-- Writes: raw.rejected_messages_v1, raw.rejected_messages
-- Grain: kafka_topic, kafka_partition, kafka_offset
-- Parameters: warehouse_root text, compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/1_raw/rejected_messages_v1.sql --hivevar compaction=0
--     --hivevar compacted=0 --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Filled: `land` and `compact` add partitions. A message that `replay` landed since stays in
--     the table and leaves the view.
-- Compactions: `compaction` and `compacted` are 0 until `compact` has run, then its number and
--     the last landing that it covers, as in the current view (SHOW CREATE TABLE).

CREATE DATABASE IF NOT EXISTS raw;

CREATE EXTERNAL TABLE IF NOT EXISTS raw.rejected_messages_v1 (
    landing BIGINT COMMENT 'Number of the landing that brought it',
    kafka_topic STRING COMMENT 'The Kafka topic',
    kafka_partition INT COMMENT 'The Kafka partition',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    kafka_timestamp BIGINT COMMENT 'When it was published, milliseconds since 1970 in UTC',
    key_base64 STRING COMMENT 'The exact bytes of its key in base64, NULL where it has none',
    headers ARRAY<STRUCT<name: STRING, value_base64: STRING>>
    COMMENT 'Its headers in their order, values in base64, NULL where it has none',
    reason STRING COMMENT 'Why it was rejected, with the path or the place in the text',
    message_base64 STRING COMMENT 'Its exact bytes in base64, NULL for a tombstone',
    more_base64 ARRAY<STRING> COMMENT 'The bytes after the first 15,000,000, in pieces of that size'
)
COMMENT 'Messages that could not be accepted, one row per Kafka topic, partition and offset'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Number of the compaction that lists the folder, 0 for none',
    last_landing BIGINT COMMENT 'The last landing whose lines the folder holds'
)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/raw/rejected_messages_v1';

CREATE OR REPLACE VIEW raw.rejected_messages AS
SELECT *
FROM raw.rejected_messages_v1 AS rejected_messages
WHERE
    (compaction = ${compaction} OR (compaction = 0 AND last_landing > ${compacted}))
    AND NOT EXISTS (
        SELECT 1
        FROM (
            SELECT
                landings.kafka_topic,
                landings.kafka_partition,
                replayed.kafka_offset
            FROM raw.landings
                LATERAL VIEW EXPLODE(landings.replayed_offsets) replayed AS kafka_offset
        ) AS replayed
        WHERE
            replayed.kafka_topic = rejected_messages.kafka_topic
            AND replayed.kafka_partition = rejected_messages.kafka_partition
            AND replayed.kafka_offset = rejected_messages.kafka_offset
    );
