-- customers.owned_exams: one row per exam and customer, with how often it was taken.
-- Reads: customers.owned_attempts_v1
-- Writes: customers.owned_exams_v1, customers.owned_exams
-- Grain: exam_id, customer
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/5_customers/owned_exams_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Doubles: rounded to 9 places, so that the order of summation does not show. The deviation
--     to 6: the square root turns a difference in the 17th place into one in the 9th.
-- Customers: as in owned_attempts_v1.sql.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.owned_exams_v1 (
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
COMMENT 'Exams of customers, one row per exam_id and customer'
PARTITIONED BY (
    release BIGINT COMMENT 'The release that the row belongs to',
    customer STRING COMMENT 'Database of the customer, nobody where no customer owned the exam'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/customers/owned_exams_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE customers.owned_exams_v1 PARTITION (release, customer)
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
    release,
    customer
FROM customers.owned_attempts_v1
WHERE release = ${release}
GROUP BY exam_id, release, customer;

CREATE OR REPLACE VIEW customers.owned_exams AS
SELECT owned_exams.*
FROM customers.owned_exams_v1 AS owned_exams
CROSS JOIN ops.published AS published
WHERE owned_exams.release = published.release;
