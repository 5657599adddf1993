-- flat.attempts: one row per attempt at an exam.
-- Reads: flat.messages_v1
-- Writes: flat.attempts_v1, flat.attempts
-- Grain: event_id, or the Kafka coordinates where a message has no keen_id
-- Parameters: warehouse_root text, landing integer, since integer, build_id identifier,
--     previous identifier
-- Usage: ./warehouse beeline -f sql/2_flat/attempts_v1.sql --hivevar landing=1 --hivevar since=0
--     --hivevar build_id=b20261124T001502Z --hivevar previous=none
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Duplicates: of the messages with one keen_id the latest kafka_offset wins. Across partitions
--     they may tie: then the later time of publication, the higher partition, the later topic.
-- Increments: a build reads the messages of landings behind `since`, the last that build
--     `previous` read, and carries the partitions of that one along. Those that hold an event of
--     which there are new messages are not carried but read too, as partitions of a build named
--     as this one with ` rewritten` behind, and their rows are written again. `since` 0 reads all.
-- Partitions: a part is what one build wrote, so that an event that is new, however old its
--     attempt, touches no other file. Months in a part let readers of some weeks skip the rest.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.attempts_v1 (
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
    score DOUBLE COMMENT 'correct_count / question_count, NULL without counts or questions',
    message_count INT COMMENT 'Messages that reported this event, all but one are duplicates',
    kafka_topic STRING COMMENT 'Topic of the message that was kept',
    kafka_partition INT COMMENT 'Kafka partition of that message',
    kafka_offset BIGINT COMMENT 'Offset of that message',
    kafka_published_at TIMESTAMP COMMENT 'When that message was published, UTC',
    started_date DATE COMMENT 'UTC day the attempt was started, NULL where that is unknown',
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
    >> COMMENT 'Its questions as they came, for the other flat tables, not in the view'
)
COMMENT 'Attempts at exams without duplicates, one row per event_id'
PARTITIONED BY (
    build_id STRING COMMENT 'The build that the row belongs to',
    part STRING COMMENT 'The build that wrote it',
    started_month STRING COMMENT 'Month of started_date, other where unknown or not of this century'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/attempts_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH news AS (
    SELECT event_id
    FROM flat.messages_v1
    WHERE build_id = '${build_id}' AND landing > ${since}
)

SELECT DISTINCT
    attempts.part,
    attempts.started_month
FROM flat.attempts_v1 AS attempts
LEFT SEMI JOIN news ON attempts.event_id = news.event_id
WHERE attempts.build_id = '${previous}';

WITH messages AS (
    SELECT
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
        1 AS message_count,
        kafka_topic,
        kafka_partition,
        kafka_offset,
        kafka_published_at,
        questions
    FROM flat.messages_v1
    WHERE build_id = '${build_id}' AND landing > ${since} AND landing <= ${landing}
    UNION ALL
    SELECT
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
        message_count,
        kafka_topic,
        kafka_partition,
        kafka_offset,
        kafka_published_at,
        questions
    FROM flat.attempts_v1
    WHERE build_id = '${build_id} rewritten'
),

keyed AS (
    SELECT
        *,
        CAST(started_at AS DATE) AS started_date,
        -- A message without an id is an event of its own: nothing shows that it repeats another.
        COALESCE(
            CONCAT('id ', event_id),
            CONCAT('at ', kafka_topic, ' ', kafka_partition, ' ', kafka_offset)
        ) AS event_key
    FROM messages
),

events AS (
    SELECT
        *,
        SUM(message_count) OVER (PARTITION BY event_key) AS event_message_count,
        ROW_NUMBER() OVER (
            PARTITION BY event_key
            ORDER BY
                kafka_offset DESC,
                COALESCE(kafka_published_at, CAST('1970-01-01 00:00:00' AS TIMESTAMP)) DESC,
                kafka_partition DESC,
                kafka_topic DESC
        ) AS newness
    FROM keyed
)

INSERT OVERWRITE TABLE flat.attempts_v1
PARTITION (build_id = '${build_id}', part = '${build_id}', started_month)
SELECT
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
    CASE WHEN question_count > 0 THEN correct_count / question_count END AS score,
    CAST(event_message_count AS INT) AS message_count,
    kafka_topic,
    kafka_partition,
    kafka_offset,
    kafka_published_at,
    started_date,
    questions,
    CASE
        WHEN YEAR(started_date) BETWEEN 2000 AND 2099
            THEN SUBSTR(CAST(started_date AS STRING), 1, 7)
        ELSE 'other'
    END AS started_month
FROM events
WHERE newness = 1;

CREATE OR REPLACE VIEW flat.attempts AS
SELECT
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
    score,
    message_count,
    kafka_topic,
    kafka_partition,
    kafka_offset,
    kafka_published_at,
    started_date,
    build_id,
    part,
    started_month
FROM flat.attempts_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
