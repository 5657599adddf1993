-- flat.attempt_questions: one row per question shown in an attempt.
-- Reads: flat.attempts_v1
-- Writes: flat.attempt_questions_v1, flat.attempt_questions
-- Grain: attempt_id, question_position
-- Parameters: warehouse_root text, build_id identifier, first_part identifier
-- Usage: ./warehouse beeline -f sql/2_flat/attempt_questions_v1.sql --hivevar first_part=a
--     --hivevar build_id=b20261124T001502Z --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Increments: a build reads the parts of flat.attempts from `first_part` on, those that it or a
--     killed one before it wrote, and carries the others along. `a` reads all.
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
PARTITIONED BY (
    build_id STRING COMMENT 'The build that the row belongs to',
    part STRING COMMENT 'The part of flat.attempts that its attempt is in',
    started_month STRING COMMENT 'Month of started_date, other where unknown or not of this century'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/attempt_questions_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE flat.attempt_questions_v1
PARTITION (build_id = '${build_id}', part, started_month)
SELECT
    attempts.attempt_id,
    shown.position + 1 AS question_position,
    shown.question.id AS question_id,
    shown.question.user_result AS result,
    shown.question.user_correct AS is_correct,
    shown.question.user_incomplete AS is_incomplete,
    shown.question.user_submitted AS is_submitted,
    CASE
        WHEN shown.question.options IS NOT NULL THEN SIZE(shown.question.options)
    END AS option_count,
    attempts.started_date,
    attempts.part,
    attempts.started_month
FROM
    flat.attempts_v1 AS attempts
        LATERAL VIEW POSEXPLODE(attempts.questions) shown AS position, question
WHERE attempts.build_id = '${build_id}' AND attempts.part >= '${first_part}';

CREATE OR REPLACE VIEW flat.attempt_questions AS
SELECT * FROM flat.attempt_questions_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
