-- raw.assessments: one row per message that fits the contract, as it came.
-- Reads: nothing: `land` and `compact` add partitions
-- Writes: raw.assessments_v1, raw.assessments
-- Grain: kafka_topic, kafka_partition, kafka_offset
-- Parameters: warehouse_root text, compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/1_raw/assessments_v1.sql --hivevar compaction=0
--     --hivevar compacted=0 --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Contract: `land` checks each message against the type of payload and the two lines below, and
--     rejects what does not fit. Every other field may be missing or null. A field that is not
--     named here stays in the line on HDFS and is recorded in unknown_fields.
-- Required: keen_id, user_exam_id, base_exam_id, exam_name
-- Attempt: user_exam_id
-- Limit: 65,536 bytes of UTF-8 per text, also in fields that are not named here
-- Compactions: `compaction` and `compacted` are 0 until `compact` has run, then its number and
--     the last landing that it covers, as in the current view (SHOW CREATE TABLE).

CREATE DATABASE IF NOT EXISTS raw;

CREATE EXTERNAL TABLE IF NOT EXISTS raw.assessments_v1 (
    landing BIGINT COMMENT 'Number of the landing that brought it',
    kafka_topic STRING COMMENT 'The Kafka topic',
    kafka_partition INT COMMENT 'The Kafka partition',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    kafka_timestamp BIGINT COMMENT 'When it was published, milliseconds since 1970 in UTC',
    key_base64 STRING COMMENT 'The exact bytes of its key in base64, NULL where it has none',
    headers ARRAY<STRUCT<name: STRING, value_base64: STRING>>
    COMMENT 'Its headers in their order, values in base64, NULL where it has none',
    unknown_fields ARRAY<STRUCT<path: STRING, example: STRING>>
    COMMENT 'Fields that the contract does not name, each with a value as JSON, at most 20',
    payload STRUCT<
        keen_timestamp: STRING,
        keen_created_at: STRING,
        keen_id: STRING,
        user_exam_id: STRING,
        base_exam_id: STRING,
        exam_name: STRING,
        certification: STRING,
        max_attempts: STRING,
        started_at: STRING,
        sequences: STRUCT<
            id: STRING,
            attempt: BIGINT,
            counts: STRUCT<
                total: BIGINT,
                correct: BIGINT,
                incorrect: BIGINT,
                incomplete: BIGINT,
                submitted: BIGINT,
                unanswered: BIGINT,
                all_correct: BOOLEAN
            >,
            questions: ARRAY<STRUCT<
                id: STRING,
                user_result: STRING,
                user_correct: BOOLEAN,
                user_incomplete: BOOLEAN,
                user_submitted: BOOLEAN,
                options: ARRAY<STRUCT<
                    id: STRING,
                    checked: BOOLEAN,
                    correct: BOOLEAN,
                    submitted: BIGINT,
                    `at`: STRING
                >>
            >>
        >
    > COMMENT 'The message with the names of its source, sequences holds the questions',
    original STRING COMMENT 'Exact text of a message that could not be embedded as it is'
)
COMMENT 'Accepted messages as they came, one row per Kafka topic, partition and offset'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Number of the compaction that lists the folder, 0 for none',
    last_landing BIGINT COMMENT 'The last landing whose lines the folder holds'
)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${warehouse_root}/raw/assessments_v1';

CREATE OR REPLACE VIEW raw.assessments AS
SELECT *
FROM raw.assessments_v1
WHERE compaction = ${compaction} OR (compaction = 0 AND last_landing > ${compacted});
