-- marts.questions: one row per question of an exam, with how hard it is.
-- Reads: flat.attempts_v1
-- Writes: marts.questions_v1, marts.questions
-- Grain: exam_id, question_id
-- Parameters: warehouse_root text, build_id identifier
-- Usage: ./warehouse beeline -f sql/3_marts/questions_v1.sql --hivevar build_id=b20261124T001502Z
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS marts;

CREATE EXTERNAL TABLE IF NOT EXISTS marts.questions_v1 (
    exam_id STRING COMMENT 'The exam, NULL where the attempt names none',
    exam_name STRING COMMENT 'Its name, the last of the alphabet where it has had several',
    question_id STRING COMMENT 'The question, NULL where the message has none in its place',
    shown_count BIGINT COMMENT 'How often it was shown',
    correct_count BIGINT COMMENT 'How often it was answered correctly',
    incorrect_count BIGINT COMMENT 'How often it was answered wrongly',
    incomplete_count BIGINT COMMENT 'How often it was answered in part (missed_some)',
    unanswered_count BIGINT COMMENT 'How often it was left out',
    correct_share DOUBLE COMMENT 'correct_count / shown_count',
    difficulty_rank INT COMMENT 'Rank by correct_share within its exam, 1 is the hardest'
)
COMMENT 'Questions of exams, one row per exam_id and question_id'
PARTITIONED BY (build_id STRING COMMENT 'The build that the row belongs to')
STORED AS PARQUET
LOCATION '${warehouse_root}/marts/questions_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

-- Grouped by the name too at first: engines sort all rows to find the greatest of texts.
WITH counted AS (
    SELECT
        attempts.exam_id,
        attempts.exam_name,
        shown.question.id AS question_id,
        COUNT(*) AS shown_count,
        COUNT(CASE WHEN shown.question.user_result = 'correct' THEN 1 END) AS correct_count,
        COUNT(CASE WHEN shown.question.user_result = 'incorrect' THEN 1 END) AS incorrect_count,
        COUNT(CASE WHEN shown.question.user_result = 'missed_some' THEN 1 END) AS incomplete_count,
        COUNT(CASE WHEN shown.question.user_result = 'unanswered' THEN 1 END) AS unanswered_count
    FROM
        flat.attempts_v1 AS attempts
            LATERAL VIEW EXPLODE(attempts.questions) shown AS question
    WHERE attempts.build_id = '${build_id}'
    GROUP BY attempts.exam_id, attempts.exam_name, shown.question.id
),

questions AS (
    SELECT
        exam_id,
        question_id,
        MAX(exam_name) AS exam_name,
        SUM(shown_count) AS shown_count,
        SUM(correct_count) AS correct_count,
        SUM(incorrect_count) AS incorrect_count,
        SUM(incomplete_count) AS incomplete_count,
        SUM(unanswered_count) AS unanswered_count
    FROM counted
    GROUP BY exam_id, question_id
)

INSERT OVERWRITE TABLE marts.questions_v1 PARTITION (build_id = '${build_id}')
SELECT
    exam_id,
    exam_name,
    question_id,
    shown_count,
    correct_count,
    incorrect_count,
    incomplete_count,
    unanswered_count,
    correct_count / shown_count AS correct_share,
    CAST(RANK() OVER (PARTITION BY exam_id ORDER BY correct_count / shown_count) AS INT)
        AS difficulty_rank
FROM questions;

CREATE OR REPLACE VIEW marts.questions AS
SELECT * FROM marts.questions_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
