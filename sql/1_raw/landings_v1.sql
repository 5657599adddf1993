-- raw.landings: one row per Kafka partition of a landing.
-- Reads: nothing: `land` and `compact` add partitions
-- Writes: raw.landings_v1, raw.landings
-- Grain: landing, kafka_topic, kafka_partition
-- Parameters: warehouse_root text, compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/1_raw/landings_v1.sql --hivevar compaction=0
--     --hivevar compacted=0 --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Compactions: `compaction` and `compacted` are 0 until `compact` has run, then its number and
--     the last landing that it covers, as in the current view (SHOW CREATE TABLE).

CREATE DATABASE IF NOT EXISTS raw;

CREATE EXTERNAL TABLE IF NOT EXISTS raw.landings_v1 (
    landing BIGINT COMMENT 'Number of the landing, 1 is the first',
    kafka_topic STRING COMMENT 'The Kafka topic',
    topic_id STRING COMMENT 'Id of the topic at the broker, new when it is created again',
    kafka_partition INT COMMENT 'The Kafka partition',
    start_offset BIGINT COMMENT 'The first offset of the landing',
    end_offset BIGINT COMMENT 'The offset after its last, where the next landing starts',
    accepted_count BIGINT COMMENT 'Messages of the landing in raw.assessments',
    rejected_count BIGINT COMMENT 'Messages of the landing that were rejected',
    absent_count BIGINT
    COMMENT 'Offsets of the landing without a message: aborted, compacted, canaries',
    erased_count BIGINT COMMENT 'Messages of the landing that were erased since, NULL for none',
    lost_count BIGINT COMMENT 'Offsets before the first that Kafka deleted before they were landed',
    replayed_offsets ARRAY<BIGINT>
    COMMENT 'Offsets that earlier landings rejected and this one accepted',
    contract STRING COMMENT 'Table whose type of payload the messages were checked against',
    files ARRAY<STRUCT<path: STRING, bytes: BIGINT, file_checksum: STRING>>
    COMMENT 'Files of the whole landing, at its lowest Kafka partition',
    landed_at STRING COMMENT 'When it was landed, ISO-8601 in UTC'
)
COMMENT 'Counts and offsets of each landing, one row per landing and Kafka partition'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Number of the compaction that lists the folder, 0 for none',
    last_landing BIGINT COMMENT 'The last landing whose lines the folder holds'
)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/raw/landings_v1';

CREATE OR REPLACE VIEW raw.landings AS
SELECT *
FROM raw.landings_v1
WHERE compaction = ${compaction} OR (compaction = 0 AND last_landing > ${compacted});
