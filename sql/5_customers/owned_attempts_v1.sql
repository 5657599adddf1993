-- customers.owned_attempts: one row per attempt of a customer.
-- Reads: candidate.attempts, customers.attempt_owners_v1
-- Writes: customers.owned_attempts_v1, customers.owned_attempts
-- Grain: attempt_id
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/5_customers/owned_attempts_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Customers: the partition of a customer is also a partition of the table attempts_v1 in the
--     database of that customer, which holds no other rows.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.owned_attempts_v1 (
    attempt_id STRING COMMENT 'Pseudonym of the attempt, the same in all tables of the customer',
    exam_id STRING COMMENT 'The exam (base_exam_id), some exam names have two',
    exam_name STRING COMMENT 'Name of the exam',
    started_at TIMESTAMP COMMENT 'When it was started, UTC, NULL if the text names no instant',
    started_date DATE COMMENT 'UTC day of started_at',
    received_at TIMESTAMP COMMENT 'When the event arrived, UTC (keen_timestamp, to microseconds)',
    certification BOOLEAN COMMENT 'The text true or false as a boolean, NULL for any other',
    max_attempts INT COMMENT 'Attempts allowed, NULL if the text is not a whole number',
    question_set_id STRING COMMENT 'The set of questions that was shown (sequences.id)',
    question_count BIGINT COMMENT 'Questions shown (counts.total)',
    correct_count BIGINT COMMENT 'Questions answered correctly (counts.correct)',
    incorrect_count BIGINT COMMENT 'Questions answered incorrectly (counts.incorrect)',
    incomplete_count BIGINT COMMENT 'Questions answered partly (counts.incomplete)',
    submitted_count BIGINT COMMENT 'Questions answered at all (counts.submitted)',
    unanswered_count BIGINT COMMENT 'Questions left unanswered (counts.unanswered)',
    is_all_correct BOOLEAN COMMENT 'Whether every answer was correct (counts.all_correct)',
    score DOUBLE COMMENT 'correct_count / question_count, NULL without counts or questions',
    message_count BIGINT COMMENT 'Messages about it, superseded ones included'
)
COMMENT 'Attempts of customers, one row per attempt_id'
PARTITIONED BY (
    release BIGINT COMMENT 'The release that the row belongs to',
    customer STRING COMMENT 'Database of the customer, nobody where no customer owned the exam'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/customers/owned_attempts_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE customers.owned_attempts_v1 PARTITION (release, customer)
SELECT
    owners.pseudonym AS attempt_id,
    attempts.exam_id,
    attempts.exam_name,
    attempts.started_at,
    attempts.started_date,
    attempts.received_at,
    attempts.certification,
    attempts.max_attempts,
    attempts.question_set_id,
    attempts.question_count,
    attempts.correct_count,
    attempts.incorrect_count,
    attempts.incomplete_count,
    attempts.submitted_count,
    attempts.unanswered_count,
    attempts.is_all_correct,
    attempts.score,
    owners.message_count,
    owners.release,
    owners.customer
FROM candidate.attempts AS attempts
INNER JOIN customers.attempt_owners_v1 AS owners ON attempts.attempt_id = owners.attempt_id
WHERE owners.release = ${release};

CREATE OR REPLACE VIEW customers.owned_attempts AS
SELECT owned_attempts.*
FROM customers.owned_attempts_v1 AS owned_attempts
CROSS JOIN ops.published AS published
WHERE owned_attempts.release = published.release;
