-- adds_up: rows of customers and of nobody add up to daily_activity.
-- Severity: critical
-- Reason: Each count of the whole is the sum of the counts of all owners.
-- Reads: candidate.daily_activity, candidate.owned_daily_activity
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_daily_activity_v1/adds_up.sql

SELECT
    started_date,
    started_hour,
    SUM(message_count) AS message_count,
    SUM(attempt_count) AS attempt_count,
    SUM(scored_attempt_count) AS scored_attempt_count,
    SUM(perfect_attempt_count) AS perfect_attempt_count
FROM (
    SELECT
        started_date,
        started_hour,
        message_count,
        attempt_count,
        scored_attempt_count,
        perfect_attempt_count
    FROM candidate.owned_daily_activity
    UNION ALL
    SELECT
        started_date,
        started_hour,
        -message_count AS message_count,
        -attempt_count AS attempt_count,
        -scored_attempt_count AS scored_attempt_count,
        -perfect_attempt_count AS perfect_attempt_count
    FROM candidate.daily_activity
) AS compared
GROUP BY
    started_date,
    started_hour
HAVING
    SUM(message_count) <> 0
    OR SUM(attempt_count) <> 0
    OR SUM(scored_attempt_count) <> 0
    OR SUM(perfect_attempt_count) <> 0;
