-- flat.attempt_questions: one row per question shown in an attempt.
-- Reads: raw.assessments
-- Writes: flat.attempt_questions_v1, flat.attempt_questions
-- Grain: attempt_id, question_position
-- Parameters: warehouse_root text, landing integer, build_id identifier
-- Usage: ./warehouse beeline -f sql/2_flat/attempt_questions_v1.sql --hivevar landing=1
--     --hivevar build_id=b20261124T001502Z --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Duplicates: removed as in flat.attempts, by the same text.
-- Nulls: an attempt without questions has no row here. A null in place of a question keeps its row
--     and its position.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.attempt_questions_v1 (
    attempt_id STRING COMMENT 'The attempt (user_exam_id)',
    question_position INT COMMENT 'Place of the question in the attempt as shown, from 1',
    question_id STRING COMMENT 'The question',
    result STRING COMMENT 'correct, incorrect, missed_some or unanswered (user_result)',
    is_correct BOOLEAN COMMENT 'Whether it was answered correctly, NULL where the message lacks it',
    is_incomplete BOOLEAN COMMENT 'Whether some right options were missed, NULL where it lacks it',
    is_submitted BOOLEAN COMMENT 'Whether it was answered at all, NULL where the message lacks it',
    option_count INT COMMENT 'Options offered, NULL where the message has no options',
    started_date DATE COMMENT 'UTC day the attempt was started, NULL where that is unknown'
)
COMMENT 'Questions of attempts, one row per attempt_id and question_position'
PARTITIONED BY (build_id STRING COMMENT 'The build that the row belongs to')
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/attempt_questions_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH messages AS (
    SELECT
        payload,
        kafka_topic,
        kafka_partition,
        kafka_offset,
        kafka_timestamp,
        -- ISO-8601 in UTC, to the microsecond, from 1600 on: before, the calendars of engines part.
        CAST(REPLACE(REGEXP_EXTRACT(payload.started_at, CONCAT(
            '^(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}',
            '(?=[.Z])([.][0-9]{1,6})?(?=[0-9]*Z\\z)'
        ), 0), 'T', ' ') AS TIMESTAMP) AS started_at,
        -- A message without an id is an event of its own: nothing shows that it repeats another.
        COALESCE(
            CONCAT('id ', NULLIF(payload.keen_id, '')),
            CONCAT('at ', kafka_topic, ' ', kafka_partition, ' ', kafka_offset)
        ) AS event_key
    FROM raw.assessments
    WHERE landing <= ${landing}
),

events AS (
    SELECT
        payload,
        kafka_topic,
        kafka_partition,
        kafka_offset,
        kafka_timestamp,
        started_at,
        COUNT(*) OVER (PARTITION BY event_key) AS message_count,
        ROW_NUMBER() OVER (
            PARTITION BY event_key
            ORDER BY kafka_offset DESC, kafka_timestamp DESC, kafka_partition DESC, kafka_topic DESC
        ) AS newness
    FROM messages
)

INSERT OVERWRITE TABLE flat.attempt_questions_v1 PARTITION (build_id = '${build_id}')
SELECT
    events.payload.user_exam_id AS attempt_id,
    shown.position + 1 AS question_position,
    shown.question.id AS question_id,
    shown.question.user_result AS result,
    shown.question.user_correct AS is_correct,
    shown.question.user_incomplete AS is_incomplete,
    shown.question.user_submitted AS is_submitted,
    CASE
        WHEN shown.question.options IS NOT NULL THEN SIZE(shown.question.options)
    END AS option_count,
    CAST(events.started_at AS DATE) AS started_date
FROM
    events
        LATERAL VIEW POSEXPLODE(events.payload.sequences.questions) shown AS position, question
WHERE events.newness = 1
SORT BY started_date;

CREATE OR REPLACE VIEW flat.attempt_questions AS
SELECT * FROM flat.attempt_questions_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
