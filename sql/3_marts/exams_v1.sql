-- marts.exams: one row per exam, with how often it was taken and how hard it is.
-- Reads: candidate.attempts, candidate.superseded_messages, ops.candidate
-- Writes: marts.exams_v1, marts.exams
-- Grain: exam_id
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/3_marts/exams_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Doubles: rounded to 9 places, so that the order of summation does not show. The deviation
--     to 6: the square root turns a difference in the 17th place into one in the 9th.

CREATE DATABASE IF NOT EXISTS marts;

CREATE EXTERNAL TABLE IF NOT EXISTS marts.exams_v1 (
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    exam_name STRING COMMENT 'Its name, the alphabetically last if it had several',
    message_count BIGINT COMMENT 'Messages about it, duplicates included',
    attempt_count BIGINT COMMENT 'Attempts at it',
    scored_attempt_count BIGINT COMMENT 'Attempts that have a score',
    perfect_attempt_count BIGINT COMMENT 'Attempts that have a score and every answer correct',
    question_count BIGINT COMMENT 'Questions shown in all attempts',
    correct_count BIGINT COMMENT 'Of these, answered correctly',
    incorrect_count BIGINT COMMENT 'Of these, answered incorrectly',
    incomplete_count BIGINT COMMENT 'Of these, answered partly',
    unanswered_count BIGINT COMMENT 'Of these, left unanswered',
    score_sum DOUBLE COMMENT 'Sum of the scores, for totals over exams',
    mean_score DOUBLE COMMENT 'Mean score of an attempt, from 0 to 1',
    score_deviation DOUBLE COMMENT 'Sample standard deviation of the score, NULL for less than two',
    perfect_share DOUBLE COMMENT 'perfect_attempt_count / scored_attempt_count',
    first_date DATE COMMENT 'UTC day of the first attempt',
    last_date DATE COMMENT 'UTC day of the last attempt'
)
COMMENT 'Exams, one row per exam_id'
PARTITIONED BY (release BIGINT COMMENT 'The release that the row belongs to')
STORED AS PARQUET
LOCATION '${warehouse_root}/marts/exams_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH superseded AS (
    SELECT
        attempt_id,
        COUNT(*) AS message_count
    FROM candidate.superseded_messages
    GROUP BY attempt_id
),

attempts AS (
    SELECT
        attempts.*,
        candidate.release,
        1 + COALESCE(superseded.message_count, 0) AS message_count -- none is superseded
    FROM candidate.attempts AS attempts
    CROSS JOIN ops.candidate AS candidate
    LEFT JOIN superseded ON attempts.attempt_id = superseded.attempt_id
    WHERE candidate.release = ${release}
)

INSERT OVERWRITE TABLE marts.exams_v1 PARTITION (release)
SELECT
    exam_id,
    MAX(exam_name) AS exam_name,
    SUM(message_count) AS message_count,
    COUNT(*) AS attempt_count,
    COUNT(score) AS scored_attempt_count,
    SUM(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 ELSE 0 END) AS perfect_attempt_count,
    SUM(question_count) AS question_count,
    SUM(correct_count) AS correct_count,
    SUM(incorrect_count) AS incorrect_count,
    SUM(incomplete_count) AS incomplete_count,
    SUM(unanswered_count) AS unanswered_count,
    ROUND(SUM(score), 9) AS score_sum,
    ROUND(AVG(score), 9) AS mean_score,
    ROUND(STDDEV_SAMP(score), 6) AS score_deviation,
    (
        SUM(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 ELSE 0 END) / COUNT(score)
    ) AS perfect_share,
    MIN(started_date) AS first_date,
    MAX(started_date) AS last_date,
    release
FROM attempts
GROUP BY exam_id, release;

CREATE OR REPLACE VIEW marts.exams AS
SELECT exams.*
FROM marts.exams_v1 AS exams
CROSS JOIN ops.published AS published
WHERE exams.release = published.release;
