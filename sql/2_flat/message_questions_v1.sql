-- flat.attempt_questions: one row per question shown in an attempt.
-- Reads: raw.assessments_v1, flat.superseded_messages
-- Writes: flat.message_questions_v1, flat.attempt_questions
-- Grain: attempt_id, question_position
-- Parameters: warehouse_root text, folder_compaction integer, folder_landing integer,
--     compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/2_flat/message_questions_v1.sql --hivevar folder_compaction=0
--     --hivevar folder_landing=1 --hivevar compaction=0 --hivevar compacted=0
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Nulls: an attempt without questions has no row here. A null in place of a question keeps its row
--     and its position.
-- Increments: fills the partition of one raw folder, superseded messages included. The view leaves
--     these out.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.message_questions_v1 (
    attempt_id STRING COMMENT 'The attempt (user_exam_id)',
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    question_position INT COMMENT 'Place of the question in the attempt as shown, from 1',
    question_id STRING COMMENT 'The question',
    result STRING COMMENT 'correct, incorrect, missed_some or unanswered (user_result)',
    is_correct BOOLEAN COMMENT 'Whether it was answered correctly, NULL where the message lacks it',
    is_incomplete BOOLEAN COMMENT 'Whether correct options were missed, NULL where it lacks it',
    is_submitted BOOLEAN COMMENT 'Whether it was answered at all, NULL where the message lacks it',
    option_count INT COMMENT 'Options offered, NULL where the message has no options',
    kafka_partition INT COMMENT 'Kafka partition of the message',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    landing BIGINT COMMENT 'Number of the landing that brought the message'
)
COMMENT 'Questions of messages as they came, one row per message and question_position'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Compaction that lists the raw folder, 0 for a landing',
    last_landing BIGINT COMMENT 'Last landing of the raw folder'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/message_questions_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE flat.message_questions_v1
PARTITION (compaction = ${folder_compaction}, last_landing = ${folder_landing})
SELECT
    messages.payload.user_exam_id AS attempt_id,
    messages.payload.base_exam_id AS exam_id,
    shown.position + 1 AS question_position,
    shown.question.id AS question_id,
    shown.question.user_result AS result,
    shown.question.user_correct AS is_correct,
    shown.question.user_incomplete AS is_incomplete,
    shown.question.user_submitted AS is_submitted,
    CASE
        WHEN shown.question.options IS NOT NULL THEN SIZE(shown.question.options)
    END AS option_count,
    messages.kafka_partition,
    messages.kafka_offset,
    messages.landing
FROM
    raw.assessments_v1 AS messages
        LATERAL VIEW POSEXPLODE(messages.payload.sequences.questions) shown AS position, question
WHERE messages.compaction = ${folder_compaction} AND messages.last_landing = ${folder_landing};

CREATE OR REPLACE VIEW flat.attempt_questions AS
SELECT questions.*
FROM flat.message_questions_v1 AS questions
CROSS JOIN ops.published AS published
LEFT JOIN flat.superseded_messages AS superseded
    ON
        questions.kafka_partition = superseded.kafka_partition
        AND questions.kafka_offset = superseded.kafka_offset
WHERE
    questions.landing <= published.landing
    AND superseded.kafka_offset IS NULL
    AND (
        questions.compaction = ${compaction}
        OR (questions.compaction = 0 AND questions.last_landing > ${compacted})
    );
