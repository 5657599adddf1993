-- customers.owned_attempt_questions: one row per question of an attempt of a customer.
-- Reads: candidate.attempt_questions, customers.attempt_owners_v1
-- Writes: customers.owned_attempt_questions_v1, customers.owned_attempt_questions
-- Grain: attempt_id, question_position
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/5_customers/owned_attempt_questions_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Customers: as in owned_attempts_v1.sql.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.owned_attempt_questions_v1 (
    attempt_id STRING COMMENT 'Pseudonym of the attempt, the same in all tables of the customer',
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    question_position INT COMMENT 'Place of the question in the attempt as shown, from 1',
    question_id STRING COMMENT 'The question',
    result STRING COMMENT 'correct, incorrect, missed_some or unanswered (user_result)',
    is_correct BOOLEAN COMMENT 'Whether it was answered correctly, NULL where the message lacks it',
    is_incomplete BOOLEAN COMMENT 'Whether correct options were missed, NULL where it lacks it',
    is_submitted BOOLEAN COMMENT 'Whether it was answered at all, NULL where the message lacks it',
    option_count INT COMMENT 'Options offered, NULL where the message has no options'
)
COMMENT 'Questions of attempts of customers, one row per attempt_id and question_position'
PARTITIONED BY (
    release BIGINT COMMENT 'The release that the row belongs to',
    customer STRING COMMENT 'Database of the customer, nobody where no customer owned the exam'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/customers/owned_attempt_questions_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE customers.owned_attempt_questions_v1 PARTITION (release, customer)
SELECT
    owners.pseudonym AS attempt_id,
    questions.exam_id,
    questions.question_position,
    questions.question_id,
    questions.result,
    questions.is_correct,
    questions.is_incomplete,
    questions.is_submitted,
    questions.option_count,
    owners.release,
    owners.customer
FROM candidate.attempt_questions AS questions
INNER JOIN customers.attempt_owners_v1 AS owners ON questions.attempt_id = owners.attempt_id
WHERE owners.release = ${release};

CREATE OR REPLACE VIEW customers.owned_attempt_questions AS
SELECT owned_attempt_questions.*
FROM customers.owned_attempt_questions_v1 AS owned_attempt_questions
CROSS JOIN ops.published AS published
WHERE owned_attempt_questions.release = published.release;
