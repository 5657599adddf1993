-- marts.daily_activity: one row per day and hour in which attempts were started.
-- Reads: candidate.attempts, candidate.superseded_messages, ops.candidate
-- Writes: marts.daily_activity_v1, marts.daily_activity
-- Grain: started_date, started_hour
-- Parameters: warehouse_root text, release integer
-- Usage: ./warehouse beeline -f sql/3_marts/daily_activity_v1.sql --hivevar release=1
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Doubles: rounded to 9 places, so that the order of summation does not show.

CREATE DATABASE IF NOT EXISTS marts;

CREATE EXTERNAL TABLE IF NOT EXISTS marts.daily_activity_v1 (
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
COMMENT 'Attempts over time, one row per started_date and started_hour'
PARTITIONED BY (release BIGINT COMMENT 'The release that the row belongs to')
STORED AS PARQUET
LOCATION '${warehouse_root}/marts/daily_activity_v1'
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

INSERT OVERWRITE TABLE marts.daily_activity_v1 PARTITION (release)
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
    release
FROM attempts
GROUP BY started_date, HOUR(started_at), release;

CREATE OR REPLACE VIEW marts.daily_activity AS
SELECT daily_activity.*
FROM marts.daily_activity_v1 AS daily_activity
CROSS JOIN ops.published AS published
WHERE daily_activity.release = published.release;
