-- reports.activity_by_hour_of_week: when in the week do people take exams?
-- Position: 155
-- Reads: marts.daily_activity
-- Grain: day_of_week, started_hour, the busiest first
-- Parameters: none
-- Answer: The busiest hour of the week is {day_of_week} from {started_hour}:00 UTC, with
--     {attempts} attempts. It takes {hours_of_a_quarter} of the busiest hours to reach a quarter of
--     all attempts.
-- Hides: day_of_week_number, hours_of_a_quarter
-- Assumes: All times are UTC. The data does not say where people are. Hours without an attempt have
--     no row and stay blank.
-- Chart: heatmap x=started_hour y=day_of_week color=attempts
-- Dashboard: 8
-- Usage: ./warehouse query -f sql/4_reports/activity_by_hour_of_week.sql

WITH hourly AS (
    SELECT
        started_hour,
        DAYOFWEEK(started_date) AS day_number,
        SUM(attempt_count) AS attempts
    FROM marts.daily_activity
    WHERE started_date IS NOT NULL
    GROUP BY DAYOFWEEK(started_date), started_hour
),

running_totals AS (
    SELECT
        day_number,
        started_hour,
        attempts,
        SUM(attempts) OVER () AS all_attempts,
        SUM(attempts) OVER (
            ORDER BY attempts DESC, PMOD(day_number + 5, 7) ASC, started_hour ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) - attempts AS attempts_before
    FROM hourly
)

SELECT
    started_hour,
    attempts,
    CASE day_number
        WHEN 1 THEN 'Sunday'
        WHEN 2 THEN 'Monday'
        WHEN 3 THEN 'Tuesday'
        WHEN 4 THEN 'Wednesday'
        WHEN 5 THEN 'Thursday'
        WHEN 6 THEN 'Friday'
        WHEN 7 THEN 'Saturday'
    END AS day_of_week,
    PMOD(day_number + 5, 7) AS day_of_week_number,
    SUM(CASE WHEN attempts_before * 4 < all_attempts THEN 1 ELSE 0 END) OVER ()
        AS hours_of_a_quarter
FROM running_totals
ORDER BY attempts DESC, day_of_week_number ASC, started_hour ASC;
