-- customers.owned_questions: one row per question of an exam and customer, with how hard it is.
-- Reads: customers.owned_attempts_v1, customers.owned_attempt_questions_v1
-- Writes: customers.owned_questions_v1, customers.owned_questions
-- Grain: exam_id, question_id, customer
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/5_customers/owned_questions_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Customers: as in owned_attempts_v1.sql.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.owned_questions_v1 (
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
COMMENT 'Questions of exams of customers, one row per exam_id, question_id and customer'
PARTITIONED BY (
    release BIGINT COMMENT 'The release that the row belongs to',
    customer STRING COMMENT 'Database of the customer, nobody where no customer owned the exam'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/customers/owned_questions_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH exams AS (
    SELECT
        exam_id,
        customer,
        MAX(exam_name) AS exam_name
    FROM customers.owned_attempts_v1
    WHERE release = ${release}
    GROUP BY exam_id, customer
),

questions AS (
    SELECT
        release,
        customer,
        exam_id,
        question_id,
        COUNT(*) AS shown_count,
        COUNT(CASE WHEN result = 'correct' THEN 1 END) AS correct_count,
        COUNT(CASE WHEN result = 'incorrect' THEN 1 END) AS incorrect_count,
        COUNT(CASE WHEN result = 'missed_some' THEN 1 END) AS incomplete_count,
        COUNT(CASE WHEN result = 'unanswered' THEN 1 END) AS unanswered_count
    FROM customers.owned_attempt_questions_v1
    WHERE release = ${release}
    GROUP BY release, customer, exam_id, question_id
)

INSERT OVERWRITE TABLE customers.owned_questions_v1 PARTITION (release, customer)
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
        PARTITION BY questions.customer, questions.exam_id
        ORDER BY questions.correct_count / questions.shown_count
    ) AS INT) AS difficulty_rank,
    questions.release,
    questions.customer
FROM questions
INNER JOIN exams ON questions.exam_id = exams.exam_id AND questions.customer = exams.customer;

CREATE OR REPLACE VIEW customers.owned_questions AS
SELECT owned_questions.*
FROM customers.owned_questions_v1 AS owned_questions
CROSS JOIN ops.published AS published
WHERE owned_questions.release = published.release;
