-- customers.owned_question_options: one row per option of a question of a customer.
-- Reads: candidate.question_options, customers.attempt_owners_v1
-- Writes: customers.owned_question_options_v1, customers.owned_question_options
-- Grain: attempt_id, question_position, option_position
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/5_customers/owned_question_options_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Customers: as in owned_attempts_v1.sql.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.owned_question_options_v1 (
    attempt_id STRING COMMENT 'Pseudonym of the attempt, the same in all tables of the customer',
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    question_position INT COMMENT 'Place of the question in the attempt as shown, from 1',
    option_position INT COMMENT 'Place of the option in the question as shown, from 1',
    option_id STRING COMMENT 'The option',
    is_checked BOOLEAN COMMENT 'Whether it was checked in the end, NULL if the message lacks it',
    is_correct BOOLEAN COMMENT 'Whether checking it is correct (messages mark only these)',
    is_submitted BOOLEAN COMMENT 'Whether it was submitted (messages mark only these)',
    clicked_at TIMESTAMP COMMENT 'Last click by the client clock, UTC, NULL if never clicked'
)
COMMENT 'Options of customers, one row per attempt_id, question_position and option_position'
PARTITIONED BY (
    release BIGINT COMMENT 'The release that the row belongs to',
    customer STRING COMMENT 'Database of the customer, nobody where no customer owned the exam'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/customers/owned_question_options_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE customers.owned_question_options_v1 PARTITION (release, customer)
SELECT
    owners.pseudonym AS attempt_id,
    offered.exam_id,
    offered.question_position,
    offered.option_position,
    offered.option_id,
    offered.is_checked,
    offered.is_correct,
    offered.is_submitted,
    offered.clicked_at,
    owners.release,
    owners.customer
FROM candidate.question_options AS offered
INNER JOIN customers.attempt_owners_v1 AS owners ON offered.attempt_id = owners.attempt_id
WHERE owners.release = ${release};

CREATE OR REPLACE VIEW customers.owned_question_options AS
SELECT owned_question_options.*
FROM customers.owned_question_options_v1 AS owned_question_options
CROSS JOIN ops.published AS published
WHERE owned_question_options.release = published.release;
