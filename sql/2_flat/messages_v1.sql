-- flat.messages: one row per accepted message, duplicates included, its fields as columns.
-- Reads: raw.assessments_v1
-- Writes: flat.messages_v1, flat.messages
-- Grain: kafka_topic, kafka_partition, kafka_offset
-- Parameters: warehouse_root text, folder_compaction integer, folder_landing integer,
--     compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/2_flat/messages_v1.sql --hivevar folder_compaction=0
--     --hivevar folder_landing=1 --hivevar compaction=0 --hivevar compacted=0
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Increments: fills the partition of one raw folder, which never changes, so a rerun writes the
--     same rows. The view shows the folders of the newest compaction and the landings after it.
-- Times: read as the instant in UTC, with any offset of RFC 3339 up to 17:59. A text that names no
--     instant is NULL.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.messages_v1 (
    kafka_topic STRING COMMENT 'The Kafka topic',
    kafka_partition INT COMMENT 'The Kafka partition',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    kafka_published_at TIMESTAMP COMMENT 'When it was published, UTC',
    landing BIGINT COMMENT 'Number of the landing that brought it',
    attempt_id STRING COMMENT 'The attempt, not a person (user_exam_id)',
    event_id STRING COMMENT 'Event that reported it (keen_id)',
    exam_id STRING COMMENT 'The exam (base_exam_id), some exam names have two',
    exam_name STRING COMMENT 'Name of the exam',
    started_at TIMESTAMP COMMENT 'When it was started, UTC, NULL if the text names no instant',
    started_date DATE COMMENT 'UTC day of started_at',
    received_at TIMESTAMP COMMENT 'When the event arrived, UTC (keen_timestamp, to microseconds)',
    certification BOOLEAN COMMENT 'The text true or false as a boolean, NULL for any other',
    max_attempts INT COMMENT 'Attempts allowed, NULL if the text is not a whole number',
    question_set_id STRING COMMENT 'The set of questions that was shown (sequences.id)',
    question_count BIGINT COMMENT 'Questions shown (counts.total)',
    correct_count BIGINT COMMENT 'Questions answered correctly (counts.correct)',
    incorrect_count BIGINT COMMENT 'Questions answered incorrectly (counts.incorrect)',
    incomplete_count BIGINT COMMENT 'Questions answered partly (counts.incomplete)',
    submitted_count BIGINT COMMENT 'Questions answered at all (counts.submitted)',
    unanswered_count BIGINT COMMENT 'Questions left unanswered (counts.unanswered)',
    is_all_correct BOOLEAN COMMENT 'Whether every answer was correct (counts.all_correct)',
    score DOUBLE COMMENT 'correct_count / question_count, NULL without counts or questions',
    unknown_fields STRING COMMENT 'Paths that the contract does not name, a line each, or NULL',
    oddities STRING COMMENT 'Deviations from every message seen so far, comma-separated, or empty'
)
COMMENT 'Accepted messages, one row per Kafka topic, partition and offset'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Compaction that lists the raw folder, 0 for a landing',
    last_landing BIGINT COMMENT 'Last landing of the raw folder'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/messages_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH messages AS (
    SELECT
        *,
        -- To the microsecond, from 1600 on: before, the calendars of the engines differ.
        TO_UTC_TIMESTAMP(
            CAST(REGEXP_REPLACE(REGEXP_EXTRACT(payload.started_at, CONCAT(
                '^(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}[Tt ]([01][0-9]|2[0-3])(:[0-5][0-9]){2}',
                '(?=[.Zz+-])([.][0-9]{1,6})?(?=[0-9]*([Zz]|[+-](0[0-9]|1[0-7]):?[0-5][0-9])\\z)'
            ), 0), '[Tt]', ' ') AS TIMESTAMP),
            CONCAT('GMT', REGEXP_EXTRACT(
                payload.started_at, '[+-](0[0-9]|1[0-7]):?[0-5][0-9]\\z', 0
            ))
        ) AS started_at
    FROM raw.assessments_v1
    WHERE compaction = ${folder_compaction} AND last_landing = ${folder_landing}
)

INSERT OVERWRITE TABLE flat.messages_v1
PARTITION (compaction = ${folder_compaction}, last_landing = ${folder_landing})
SELECT -- noqa: ST06
    kafka_topic,
    kafka_partition,
    kafka_offset,
    CASE WHEN kafka_timestamp BETWEEN 0 AND 253402300799999 THEN CAST(CONCAT(
        FROM_UNIXTIME(CAST(FLOOR(kafka_timestamp / 1000) AS BIGINT)),
        '.', LPAD(CAST(PMOD(kafka_timestamp, 1000) AS STRING), 3, '0')
    ) AS TIMESTAMP) END AS kafka_published_at,
    landing,
    payload.user_exam_id AS attempt_id,
    payload.keen_id AS event_id,
    payload.base_exam_id AS exam_id,
    payload.exam_name,
    started_at,
    CAST(started_at AS DATE) AS started_date,
    -- Unix seconds as text: whole ones by the calendar, the fraction as it stands, no doubles.
    CAST(CONCAT(
        FROM_UNIXTIME(CAST(REGEXP_EXTRACT(
            payload.keen_timestamp, '^([0-9]{1,10})([.][0-9]+)?\\z', 1
        ) AS BIGINT)),
        REGEXP_EXTRACT(payload.keen_timestamp, '^[0-9]*(([.][0-9]{1,6})?)', 1)
    ) AS TIMESTAMP) AS received_at,
    CASE payload.certification WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END AS certification,
    CAST(REGEXP_EXTRACT(payload.max_attempts, '^([0-9]+)([.]0*)?\\z', 1) AS INT) AS max_attempts,
    payload.sequences.id AS question_set_id,
    payload.sequences.counts.total AS question_count,
    payload.sequences.counts.correct AS correct_count,
    payload.sequences.counts.incorrect AS incorrect_count,
    payload.sequences.counts.incomplete AS incomplete_count,
    payload.sequences.counts.submitted AS submitted_count,
    payload.sequences.counts.unanswered AS unanswered_count,
    payload.sequences.counts.all_correct AS is_all_correct,
    payload.sequences.counts.correct / NULLIF(GREATEST(payload.sequences.counts.total, 0), 0)
        AS score,
    CASE WHEN unknown_fields IS NOT NULL THEN CONCAT_WS('\n', unknown_fields.path) END
        AS unknown_fields,
    CONCAT_WS(
        ', ',
        CASE WHEN payload.keen_timestamp IS NULL THEN 'no keen_timestamp' END,
        CASE WHEN payload.max_attempts IS NULL THEN 'no max_attempts' END,
        CASE WHEN payload.started_at IS NULL THEN 'no started_at' END,
        CASE WHEN payload.sequences.questions IS NULL THEN 'no questions' END,
        CASE WHEN payload.certification <> 'false' THEN 'new certification' END,
        CASE WHEN payload.max_attempts <> '1.0' THEN 'new max_attempts' END,
        CASE WHEN payload.sequences.attempt <> 1 THEN 'new attempt number' END,
        CASE WHEN payload.keen_created_at <> payload.keen_timestamp THEN 'two arrivals' END
    ) AS oddities
FROM messages;

CREATE OR REPLACE VIEW flat.messages AS
SELECT messages.*
FROM flat.messages_v1 AS messages
CROSS JOIN ops.published AS published
WHERE
    messages.landing <= published.landing
    AND (
        messages.compaction = ${compaction}
        OR (messages.compaction = 0 AND messages.last_landing > ${compacted})
    );
