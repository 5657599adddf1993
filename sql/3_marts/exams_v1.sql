-- marts.exams: one row per exam, with how often it was taken and how hard it is.
-- Reads: flat.attempts_v1
-- Writes: marts.exams_v1, marts.exams
-- Grain: exam_id
-- Parameters: warehouse_root text, build_id identifier
-- Usage: ./warehouse beeline -f sql/3_marts/exams_v1.sql --hivevar build_id=b20261124T001502Z
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Doubles: rounded to 9 places, so that the order in which rows are added up does not show. The
--     deviation to 6: its root makes of a difference in the 17th place one in the 9th.

CREATE DATABASE IF NOT EXISTS marts;

CREATE EXTERNAL TABLE IF NOT EXISTS marts.exams_v1 (
    exam_id STRING COMMENT 'The exam, NULL for attempts that name none',
    exam_name STRING COMMENT 'Its name, the last of the alphabet where it has had several',
    message_count BIGINT COMMENT 'Messages about it, duplicates included',
    attempt_count BIGINT COMMENT 'Attempts at it',
    scored_attempt_count BIGINT COMMENT 'Attempts that have a score',
    perfect_attempt_count BIGINT COMMENT 'Attempts that have a score and every answer correct',
    question_count BIGINT COMMENT 'Questions shown in all attempts',
    correct_count BIGINT COMMENT 'Of these, answered correctly',
    incorrect_count BIGINT COMMENT 'Of these, answered wrongly',
    incomplete_count BIGINT COMMENT 'Of these, answered in part',
    unanswered_count BIGINT COMMENT 'Of these, left out',
    score_sum DOUBLE COMMENT 'Sum of the scores, to add up over exams',
    mean_score DOUBLE COMMENT 'Mean score of an attempt, from 0 to 1',
    score_deviation DOUBLE COMMENT 'Sample standard deviation of the score, NULL for less than two',
    perfect_share DOUBLE COMMENT 'perfect_attempt_count / scored_attempt_count',
    first_date DATE COMMENT 'UTC day of the first attempt',
    last_date DATE COMMENT 'UTC day of the last attempt'
)
COMMENT 'Exams, one row per exam_id'
PARTITIONED BY (build_id STRING COMMENT 'The build that the row belongs to')
STORED AS PARQUET
LOCATION '${warehouse_root}/marts/exams_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE marts.exams_v1 PARTITION (build_id = '${build_id}')
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
    MAX(started_date) AS last_date
FROM flat.attempts_v1
WHERE build_id = '${build_id}'
GROUP BY exam_id;

CREATE OR REPLACE VIEW marts.exams AS
SELECT * FROM marts.exams_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
