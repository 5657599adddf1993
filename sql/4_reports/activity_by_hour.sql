-- reports.activity_by_hour: at what time of day do people take exams?
-- Position: 140
-- Reads: marts.daily_activity
-- Grain: started_hour, the busiest first
-- Parameters: none
-- Answer: The busiest hour begins at {started_hour}:00 UTC: {attempts} attempts, reported by
--     {messages} messages.
-- Assumes: All times are UTC. The data does not say where people are.
-- Chart: column x=started_hour y=attempts
-- Dashboard: 6
-- Usage: ./warehouse query -f sql/4_reports/activity_by_hour.sql

SELECT
    started_hour,
    SUM(attempt_count) AS attempts,
    SUM(message_count) AS messages,
    ROUND(100 * SUM(score_sum) / SUM(scored_attempt_count), 1) AS mean_score_percent
FROM marts.daily_activity
WHERE started_hour IS NOT NULL
GROUP BY started_hour
ORDER BY attempts DESC, started_hour ASC;
