-- reports.activity_by_weekday: on what days of the week do people take exams?
-- Position: 150
-- Reads: marts.daily_activity
-- Grain: day_of_week, the busiest first
-- Parameters: none
-- Answer: The busiest day is {day_of_week} with {attempts} attempts, a mean of {attempts_per_day} a
--     day.
-- Hides: day_of_week_number
-- Assumes: Days are UTC days. The mean is over days with at least one attempt.
-- Chart: column x=day_of_week y=attempts
-- Dashboard: 4
-- Usage: ./warehouse query -f sql/4_reports/activity_by_weekday.sql

SELECT
    CASE DAYOFWEEK(started_date)
        WHEN 1 THEN 'Sunday'
        WHEN 2 THEN 'Monday'
        WHEN 3 THEN 'Tuesday'
        WHEN 4 THEN 'Wednesday'
        WHEN 5 THEN 'Thursday'
        WHEN 6 THEN 'Friday'
        WHEN 7 THEN 'Saturday'
    END AS day_of_week,
    SUM(attempt_count) AS attempts,
    COUNT(DISTINCT started_date) AS active_days,
    ROUND(SUM(attempt_count) / COUNT(DISTINCT started_date), 1) AS attempts_per_day,
    PMOD(DAYOFWEEK(started_date) + 5, 7) AS day_of_week_number
FROM marts.daily_activity
WHERE started_date IS NOT NULL
GROUP BY DAYOFWEEK(started_date)
ORDER BY attempts DESC, day_of_week_number ASC;
