-- intervals: no day and no hour lacks the attempts that its weekday usually has.
-- Severity: warning
-- Reason: Where each of the four weeks before had ten attempts or more on that day of the week,
--     or in that hour of it, none at all means that the source stopped or that messages were lost.
--     Days before the last one are checked. Whether newer data is late is what ./warehouse check
--     reports.
-- Reads: candidate.attempts, candidate.daily_activity
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/daily_activity_v1/intervals.sql

WITH intervals AS (
    SELECT
        started_date,
        'whole day' AS interval_name,
        SUM(attempt_count) AS attempt_count
    FROM candidate.daily_activity
    GROUP BY started_date
    UNION ALL
    SELECT
        started_date,
        CONCAT('hour ', CAST(started_hour AS STRING)) AS interval_name,
        attempt_count
    FROM candidate.daily_activity
),

expected AS (
    SELECT
        started_date,
        interval_name,
        MIN(attempt_count) AS least_attempt_count
    FROM (
        SELECT
            interval_name,
            attempt_count,
            DATE_ADD(started_date, weeks.days) AS started_date
        FROM
            intervals
                LATERAL VIEW EXPLODE(ARRAY(7, 14, 21, 28)) weeks AS days
        WHERE attempt_count >= 10
    ) AS earlier
    GROUP BY started_date, interval_name
    HAVING COUNT(*) = 4
),

newest AS (
    SELECT MAX(started_date) AS started_date
    FROM candidate.attempts
    WHERE started_at <= received_at -- A wrong clock moves no last day into the future.
)

SELECT
    expected.started_date,
    expected.interval_name,
    expected.least_attempt_count
FROM expected
CROSS JOIN newest
LEFT JOIN intervals
    ON
        expected.started_date = intervals.started_date
        AND expected.interval_name = intervals.interval_name
WHERE expected.started_date < newest.started_date AND intervals.attempt_count IS NULL;
