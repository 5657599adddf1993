-- reports.activity_by_day: which days were the busiest?
-- Position: 170
-- Reads: marts.daily_activity
-- Grain: started_date, the busiest first
-- Parameters: none
-- Answer: The busiest day was {started_date}: {attempts} attempts, {messages} messages.
-- Assumes: Days are UTC days. A day without attempts has no row. At most the 366 busiest are shown.
-- Chart: line x=started_date y=attempts
-- Usage: ./warehouse query -f sql/4_reports/activity_by_day.sql

SELECT
    started_date,
    SUM(attempt_count) AS attempts,
    SUM(message_count) AS messages,
    ROUND(100 * SUM(score_sum) / SUM(scored_attempt_count), 1) AS mean_score_percent
FROM marts.daily_activity
WHERE started_date IS NOT NULL
GROUP BY started_date
ORDER BY attempts DESC, started_date ASC
LIMIT 366;
