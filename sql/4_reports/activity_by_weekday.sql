-- reports.activity_by_weekday: on what days of the week do people take exams?
-- Position: 150
-- Reads: marts.daily_activity
-- Grain: day_of_week, the busiest first
-- Parameters: none
-- Answer: The busiest day is {day_of_week} with {attempts} attempts, {attempts_per_day} on each
--     that had any.
-- Assumes: Days are UTC days. The mean is over days with at least one attempt.
-- Chart: column x=day_of_week y=attempts
-- Usage: ./warehouse query -f sql/4_reports/activity_by_weekday.sql

SELECT
    CASE DAYOFWEEK(started_date)
        WHEN 1 THEN '7 Sunday'
        WHEN 2 THEN '1 Monday'
        WHEN 3 THEN '2 Tuesday'
        WHEN 4 THEN '3 Wednesday'
        WHEN 5 THEN '4 Thursday'
        WHEN 6 THEN '5 Friday'
        WHEN 7 THEN '6 Saturday'
    END AS day_of_week,
    SUM(attempt_count) AS attempts,
    COUNT(DISTINCT started_date) AS active_days,
    ROUND(SUM(attempt_count) / COUNT(DISTINCT started_date), 1) AS attempts_per_day
FROM marts.daily_activity
WHERE started_date IS NOT NULL
GROUP BY DAYOFWEEK(started_date)
ORDER BY attempts DESC, day_of_week ASC;
