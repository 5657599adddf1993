-- flat.messages: one row per accepted message, duplicates included, its fields as columns.
-- Reads: raw.assessments
-- Writes: flat.messages_v1, flat.messages
-- Grain: kafka_topic, kafka_partition, kafka_offset
-- Parameters: warehouse_root text, landing integer, since integer, build_id identifier
-- Usage: ./warehouse beeline -f sql/2_flat/messages_v1.sql --hivevar landing=1 --hivevar since=0
--     --hivevar build_id=b20261124T001502Z --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Increments: a build reads the landings behind `since`, the last that the one before it read, and
--     carries the partitions of that one along. Those that are to be fewer and larger files it
--     reads and writes again, as partitions of ` rewritten`. `since` 0 reads everything.
-- Why: to read a line of JSON takes many times as long as to read it here, so this is done once.
--     What a field says as text is read here too: times, numbers and truth values.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.messages_v1 (
    kafka_topic STRING COMMENT 'The Kafka topic',
    kafka_partition INT COMMENT 'The Kafka partition',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    kafka_published_at TIMESTAMP COMMENT 'When it was published, UTC',
    landing BIGINT COMMENT 'Number of the landing that brought it',
    attempt_id STRING COMMENT 'The attempt, not a person (user_exam_id)',
    event_id STRING COMMENT 'Event that reported it (keen_id), NULL if missing or empty',
    exam_id STRING COMMENT 'The exam (base_exam_id), some exam names have two',
    exam_name STRING COMMENT 'Name of the exam',
    started_at TIMESTAMP COMMENT 'When it was started, UTC, NULL if the text is no UTC time',
    received_at TIMESTAMP COMMENT 'When the event arrived, UTC (keen_timestamp, to microseconds)',
    certification BOOLEAN COMMENT 'The text true or false as a boolean, NULL for any other',
    max_attempts INT COMMENT 'Attempts allowed, NULL where the text is no whole number',
    question_set_id STRING COMMENT 'The set of questions that was asked (sequences.id)',
    question_count BIGINT COMMENT 'Questions shown (counts.total)',
    correct_count BIGINT COMMENT 'Questions answered correctly (counts.correct)',
    incorrect_count BIGINT COMMENT 'Questions answered wrongly (counts.incorrect)',
    incomplete_count BIGINT COMMENT 'Questions answered in part (counts.incomplete)',
    submitted_count BIGINT COMMENT 'Questions answered at all (counts.submitted)',
    unanswered_count BIGINT COMMENT 'Questions left out (counts.unanswered)',
    is_all_correct BOOLEAN COMMENT 'Whether every answer was correct (counts.all_correct)',
    questions ARRAY<STRUCT<
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
    >> COMMENT 'Its questions as they came, for the other flat tables, not in the view',
    unknown_fields ARRAY<STRUCT<path: STRING, example: STRING>>
    COMMENT 'Fields that the contract does not name, NULL where there is none',
    is_embedded BOOLEAN COMMENT 'Whether raw.assessments has it as it came, not as original',
    oddities STRING COMMENT 'What no message known so far was like, with commas, empty for nothing'
)
COMMENT 'Accepted messages, one row per Kafka topic, partition and offset'
PARTITIONED BY (
    build_id STRING COMMENT 'The build that the row belongs to',
    part STRING COMMENT 'The build that wrote it'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/messages_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE flat.messages_v1
PARTITION (build_id = '${build_id}', part)
SELECT -- noqa: ST06
    kafka_topic,
    kafka_partition,
    kafka_offset,
    CASE
        WHEN kafka_timestamp BETWEEN 0 AND 253402300799999
            THEN CAST(CONCAT(
                FROM_UNIXTIME(CAST(FLOOR(kafka_timestamp / 1000) AS BIGINT)),
                '.', LPAD(CAST(PMOD(kafka_timestamp, 1000) AS STRING), 3, '0')
            ) AS TIMESTAMP)
    END AS kafka_published_at,
    landing,
    payload.user_exam_id AS attempt_id,
    NULLIF(payload.keen_id, '') AS event_id,
    payload.base_exam_id AS exam_id,
    payload.exam_name,
    -- ISO-8601 in UTC, to the microsecond, from 1600 on: before, the calendars of engines part.
    CAST(REPLACE(REGEXP_EXTRACT(payload.started_at, CONCAT(
        '^(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}',
        '(?=[.Z])([.][0-9]{1,6})?(?=[0-9]*Z\\z)'
    ), 0), 'T', ' ') AS TIMESTAMP) AS started_at,
    -- Unix seconds as text: whole ones by the calendar, the fraction as it stands, no doubles.
    CAST(CONCAT(
        FROM_UNIXTIME(CAST(REGEXP_EXTRACT(
            payload.keen_timestamp, '^([0-9]{1,10})([.][0-9]+)?\\z', 1
        ) AS BIGINT)),
        REGEXP_EXTRACT(payload.keen_timestamp, '^[0-9]*(([.][0-9]{1,6})?)', 1)
    ) AS TIMESTAMP) AS received_at,
    CASE payload.certification WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END
        AS certification,
    CAST(REGEXP_EXTRACT(payload.max_attempts, '^([0-9]+)([.]0*)?\\z', 1) AS INT)
        AS max_attempts,
    payload.sequences.id AS question_set_id,
    payload.sequences.counts.total AS question_count,
    payload.sequences.counts.correct AS correct_count,
    payload.sequences.counts.incorrect AS incorrect_count,
    payload.sequences.counts.incomplete AS incomplete_count,
    payload.sequences.counts.submitted AS submitted_count,
    payload.sequences.counts.unanswered AS unanswered_count,
    payload.sequences.counts.all_correct AS is_all_correct,
    payload.sequences.questions,
    unknown_fields,
    original IS NULL AS is_embedded,
    CONCAT_WS(
        ', ',
        CASE WHEN payload IS NULL THEN 'no payload' END,
        CASE WHEN payload.keen_id IS NULL THEN 'no keen_id' END,
        CASE WHEN payload.keen_timestamp IS NULL THEN 'no keen_timestamp' END,
        CASE WHEN payload.keen_created_at IS NULL THEN 'no keen_created_at' END,
        CASE WHEN payload.user_exam_id IS NULL THEN 'no user_exam_id' END,
        CASE WHEN payload.base_exam_id IS NULL THEN 'no base_exam_id' END,
        CASE WHEN payload.exam_name IS NULL THEN 'no exam_name' END,
        CASE WHEN payload.max_attempts IS NULL THEN 'no max_attempts' END,
        CASE WHEN payload.started_at IS NULL THEN 'no started_at' END,
        CASE WHEN payload.sequences.questions IS NULL THEN 'no questions' END,
        CASE WHEN payload.certification <> 'false' THEN 'certification is new' END,
        CASE WHEN payload.max_attempts <> '1.0' THEN 'max_attempts is new' END,
        CASE WHEN payload.sequences.attempt <> 1 THEN 'attempt is new' END,
        CASE WHEN payload.keen_created_at <> payload.keen_timestamp THEN 'two arrivals' END
    ) AS oddities,
    '${build_id}' AS part
FROM raw.assessments
-- The folders first, which an engine finds without reading a line.
WHERE last_landing > ${since} AND landing > ${since} AND landing <= ${landing};

INSERT INTO TABLE flat.messages_v1
PARTITION (build_id = '${build_id}', part)
SELECT
    kafka_topic,
    kafka_partition,
    kafka_offset,
    kafka_published_at,
    landing,
    attempt_id,
    event_id,
    exam_id,
    exam_name,
    started_at,
    received_at,
    certification,
    max_attempts,
    question_set_id,
    question_count,
    correct_count,
    incorrect_count,
    incomplete_count,
    submitted_count,
    unanswered_count,
    is_all_correct,
    questions,
    unknown_fields,
    is_embedded,
    oddities,
    '${build_id}' AS part
FROM flat.messages_v1
WHERE build_id = '${build_id} rewritten';

CREATE OR REPLACE VIEW flat.messages AS
SELECT
    kafka_topic,
    kafka_partition,
    kafka_offset,
    kafka_published_at,
    landing,
    attempt_id,
    event_id,
    exam_id,
    exam_name,
    started_at,
    received_at,
    certification,
    max_attempts,
    question_set_id,
    question_count,
    correct_count,
    incorrect_count,
    incomplete_count,
    submitted_count,
    unanswered_count,
    is_all_correct,
    unknown_fields,
    is_embedded,
    oddities,
    build_id,
    part
FROM flat.messages_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
