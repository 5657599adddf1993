-- reports.activity_by_week: does the number of attempts grow?
-- Position: 160
-- Reads: marts.daily_activity
-- Grain: week_start, a Monday, the busiest first
-- Parameters: none
-- Answer: The busiest week began on {week_start}: {attempts} attempts.
-- Assumes: Weeks begin on Monday, UTC. The first and the last one may be cut off. At most the 104
--     busiest are shown.
-- Chart: line x=week_start y=attempts
-- Usage: ./warehouse query -f sql/4_reports/activity_by_week.sql

SELECT
    DATE_SUB(started_date, PMOD(DATEDIFF(started_date, '1970-01-05'), 7)) AS week_start,
    SUM(attempt_count) AS attempts,
    COUNT(DISTINCT started_date) AS active_days,
    ROUND(100 * SUM(score_sum) / SUM(scored_attempt_count), 1) AS mean_score_percent
FROM marts.daily_activity
WHERE started_date IS NOT NULL
GROUP BY DATE_SUB(started_date, PMOD(DATEDIFF(started_date, '1970-01-05'), 7))
ORDER BY attempts DESC, week_start ASC
LIMIT 104;
