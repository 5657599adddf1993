-- customers.attempt_owners: one row per attempt, with its customer and its pseudonym.
-- Reads: candidate.attempts, candidate.superseded_messages, customers.exam_periods_v1,
--     ops.pseudonym_keys, ops.candidate
-- Writes: customers.attempt_owners_v1, customers.attempt_owners
-- Grain: attempt_id
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/5_customers/attempt_owners_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Owners: an attempt belongs to who owned its exam on the UTC day of its start. An attempt whose
--     start is unknown belongs to who owned the exam on all days. Other attempts belong to nobody.
-- Pseudonyms: HMAC-SHA256 of attempt_id with the key of the customer, in hexadecimal.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.attempt_owners_v1 (
    attempt_id STRING COMMENT 'The attempt (user_exam_id)',
    customer STRING COMMENT 'Database of the customer, nobody where no customer owned the exam',
    pseudonym STRING COMMENT 'The attempt_id that tables of the customer have',
    message_count BIGINT COMMENT 'Messages about it, superseded ones included'
)
COMMENT 'Whose attempt it is, one row per attempt_id'
PARTITIONED BY (release BIGINT COMMENT 'The release that the row belongs to')
STORED AS PARQUET
LOCATION '${warehouse_root}/customers/attempt_owners_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH superseded AS (
    SELECT
        attempt_id,
        COUNT(*) AS message_count
    FROM candidate.superseded_messages
    GROUP BY attempt_id
),

owned AS (
    SELECT
        attempts.attempt_id,
        periods.customer
    FROM candidate.attempts AS attempts
    INNER JOIN customers.exam_periods_v1 AS periods ON attempts.exam_id = periods.exam_id
    WHERE
        periods.release = ${release}
        AND (periods.valid_from IS NULL OR attempts.started_date >= TO_DATE(periods.valid_from))
        AND (periods.valid_to IS NULL OR attempts.started_date < TO_DATE(periods.valid_to))
),

attempts AS (
    SELECT
        attempts.attempt_id,
        candidate.release,
        COALESCE(owned.customer, 'nobody') AS customer, -- no period matches
        1 + COALESCE(superseded.message_count, 0) AS message_count -- none is superseded
    FROM candidate.attempts AS attempts
    CROSS JOIN ops.candidate AS candidate
    LEFT JOIN owned ON attempts.attempt_id = owned.attempt_id
    LEFT JOIN superseded ON attempts.attempt_id = superseded.attempt_id
    WHERE candidate.release = ${release}
)

INSERT OVERWRITE TABLE customers.attempt_owners_v1 PARTITION (release)
SELECT
    attempts.attempt_id,
    attempts.customer,
    SHA2(CONCAT(
        UNHEX(pads.outer_pad),
        UNHEX(SHA2(CONCAT(UNHEX(pads.inner_pad), CAST(attempts.attempt_id AS BINARY)), 256))
    ), 256) AS pseudonym,
    attempts.message_count,
    attempts.release
FROM attempts
INNER JOIN ops.pseudonym_keys AS pads ON attempts.customer = pads.database_name;

CREATE OR REPLACE VIEW customers.attempt_owners AS
SELECT attempt_owners.*
FROM customers.attempt_owners_v1 AS attempt_owners
CROSS JOIN ops.published AS published
WHERE attempt_owners.release = published.release;
