-- customers.owned_daily_activity: one row per customer, day and hour of attempts.
-- Reads: customers.owned_attempts_v1
-- Writes: customers.owned_daily_activity_v1, customers.owned_daily_activity
-- Grain: started_date, started_hour, customer
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/5_customers/owned_daily_activity_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Doubles: rounded to 9 places, so that the order of summation does not show.
-- Customers: as in owned_attempts_v1.sql.

CREATE DATABASE IF NOT EXISTS customers;

CREATE EXTERNAL TABLE IF NOT EXISTS customers.owned_daily_activity_v1 (
    started_date DATE COMMENT 'UTC day, NULL for attempts whose start is unknown',
    started_hour INT COMMENT 'UTC hour from 0 to 23, NULL for attempts whose start is unknown',
    message_count BIGINT COMMENT 'Messages about attempts of that hour, duplicates included',
    attempt_count BIGINT COMMENT 'Attempts started in that hour',
    scored_attempt_count BIGINT COMMENT 'Of these, attempts that have a score',
    perfect_attempt_count BIGINT COMMENT 'Of these, attempts with every answer correct',
    question_count BIGINT COMMENT 'Questions shown in these attempts',
    correct_count BIGINT COMMENT 'Of these, answered correctly',
    unanswered_count BIGINT COMMENT 'Of these, left unanswered',
    score_sum DOUBLE COMMENT 'Sum of the scores, for totals over hours',
    mean_score DOUBLE COMMENT 'Mean score of an attempt, from 0 to 1'
)
COMMENT 'Attempts of customers over time, one row per started_date, started_hour and customer'
PARTITIONED BY (
    release BIGINT COMMENT 'The release that the row belongs to',
    customer STRING COMMENT 'Database of the customer, nobody where no customer owned the exam'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/customers/owned_daily_activity_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE customers.owned_daily_activity_v1 PARTITION (release, customer)
SELECT
    started_date,
    HOUR(started_at) AS started_hour,
    SUM(message_count) AS message_count,
    COUNT(*) AS attempt_count,
    COUNT(score) AS scored_attempt_count,
    SUM(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 ELSE 0 END) AS perfect_attempt_count,
    SUM(question_count) AS question_count,
    SUM(correct_count) AS correct_count,
    SUM(unanswered_count) AS unanswered_count,
    ROUND(SUM(score), 9) AS score_sum,
    ROUND(AVG(score), 9) AS mean_score,
    release,
    customer
FROM customers.owned_attempts_v1
WHERE release = ${release}
GROUP BY started_date, HOUR(started_at), release, customer;

CREATE OR REPLACE VIEW customers.owned_daily_activity AS
SELECT owned_daily_activity.*
FROM customers.owned_daily_activity_v1 AS owned_daily_activity
CROSS JOIN ops.published AS published
WHERE owned_daily_activity.release = published.release;
