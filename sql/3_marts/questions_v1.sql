-- marts.questions: one row per question of an exam, with how hard it is.
-- Reads: candidate.attempts, candidate.attempt_questions, ops.candidate
-- Writes: marts.questions_v1, marts.questions
-- Grain: exam_id, question_id
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/3_marts/questions_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse

CREATE DATABASE IF NOT EXISTS marts;

CREATE EXTERNAL TABLE IF NOT EXISTS marts.questions_v1 (
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    exam_name STRING COMMENT 'Its name, the alphabetically last if it had several',
    question_id STRING COMMENT 'The question, NULL where the message has none in its place',
    shown_count BIGINT COMMENT 'How often it was shown',
    correct_count BIGINT COMMENT 'How often it was answered correctly',
    incorrect_count BIGINT COMMENT 'How often it was answered incorrectly',
    incomplete_count BIGINT COMMENT 'How often it was answered partly (missed_some)',
    unanswered_count BIGINT COMMENT 'How often it was left unanswered',
    correct_share DOUBLE COMMENT 'correct_count / shown_count',
    difficulty_rank INT COMMENT 'Rank by correct_share within its exam, 1 is the hardest'
)
COMMENT 'Questions of exams, one row per exam_id and question_id'
PARTITIONED BY (release BIGINT COMMENT 'The release that the row belongs to')
STORED AS PARQUET
LOCATION '${warehouse_root}/marts/questions_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH exams AS (
    SELECT
        exam_id,
        MAX(exam_name) AS exam_name
    FROM candidate.attempts
    GROUP BY exam_id
),

questions AS (
    SELECT
        exam_id,
        question_id,
        COUNT(*) AS shown_count,
        COUNT(CASE WHEN result = 'correct' THEN 1 END) AS correct_count,
        COUNT(CASE WHEN result = 'incorrect' THEN 1 END) AS incorrect_count,
        COUNT(CASE WHEN result = 'missed_some' THEN 1 END) AS incomplete_count,
        COUNT(CASE WHEN result = 'unanswered' THEN 1 END) AS unanswered_count
    FROM candidate.attempt_questions
    GROUP BY exam_id, question_id
)

INSERT OVERWRITE TABLE marts.questions_v1 PARTITION (release)
SELECT
    questions.exam_id,
    exams.exam_name,
    questions.question_id,
    questions.shown_count,
    questions.correct_count,
    questions.incorrect_count,
    questions.incomplete_count,
    questions.unanswered_count,
    questions.correct_count / questions.shown_count AS correct_share,
    CAST(RANK() OVER (
        PARTITION BY questions.exam_id
        ORDER BY questions.correct_count / questions.shown_count
    ) AS INT) AS difficulty_rank,
    candidate.release
FROM questions
CROSS JOIN ops.candidate AS candidate
INNER JOIN exams ON questions.exam_id = exams.exam_id
WHERE candidate.release = ${release};

CREATE OR REPLACE VIEW marts.questions AS
SELECT questions.*
FROM marts.questions_v1 AS questions
CROSS JOIN ops.published AS published
WHERE questions.release = published.release;
