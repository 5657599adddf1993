-- reports.activity_by_week: does the number of attempts grow?
-- Position: 160
-- Reads: marts.daily_activity
-- Grain: week_start, a Monday, the newest first
-- Parameters: none
-- Answer: {trend}. The mean of a week is {early_mean} attempts in the first half of the time and
--     {late_mean} in the second. The busiest week, with {most_attempts}, began on {busiest_week}.
-- Hides: trend, early_mean, late_mean, most_attempts, busiest_week
-- Assumes: Weeks begin on Monday, UTC. The means of both halves are over whole weeks: the first and
--     the last are left out where days are missing. A difference of up to a tenth counts as none.
--     At most the 104 newest weeks are shown. A week without attempts has no row and counts in no
--     mean, and mean_of_4_weeks is over the last 4 weeks that have a row.
-- Chart: line x=week_start y=attempts mean=mean_of_4_weeks
-- Dashboard: 8
-- Usage: ./warehouse query -f sql/4_reports/activity_by_week.sql

WITH time_span AS (
    SELECT
        MIN(started_date) AS first_date,
        MAX(started_date) AS last_date
    FROM marts.daily_activity
),

weeks AS (
    SELECT
        DATE_SUB(started_date, PMOD(DATEDIFF(started_date, '1970-01-05'), 7)) AS week_start,
        SUM(attempt_count) AS attempts,
        COUNT(DISTINCT started_date) AS active_days,
        ROUND(100 * SUM(score_sum) / SUM(scored_attempt_count), 1) AS mean_score_percent
    FROM marts.daily_activity
    WHERE started_date IS NOT NULL
    GROUP BY DATE_SUB(started_date, PMOD(DATEDIFF(started_date, '1970-01-05'), 7))
),

halves AS (
    SELECT
        weeks.week_start,
        weeks.attempts,
        weeks.active_days,
        weeks.mean_score_percent,
        CASE
            WHEN weeks.week_start < time_span.first_date THEN 'cut off'
            WHEN DATEDIFF(time_span.last_date, weeks.week_start) < 6 THEN 'cut off'
            -- By the day in the middle of the week.
            WHEN
                DATEDIFF(weeks.week_start, time_span.first_date)
                < DATEDIFF(time_span.last_date, weeks.week_start) - 6 THEN 'first'
            ELSE 'second'
        END AS half
    FROM weeks
    CROSS JOIN time_span
),

means AS (
    SELECT
        week_start,
        attempts,
        active_days,
        mean_score_percent,
        ROUND(
            AVG(attempts) OVER (ORDER BY week_start ROWS BETWEEN 3 PRECEDING AND CURRENT ROW), 1
        ) AS mean_of_4_weeks,
        ROUND(AVG(CASE WHEN half = 'first' THEN attempts END) OVER (), 1) AS early_mean,
        ROUND(AVG(CASE WHEN half = 'second' THEN attempts END) OVER (), 1) AS late_mean,
        ROW_NUMBER() OVER (ORDER BY attempts DESC, week_start ASC) AS busyness
    FROM halves
)

SELECT
    means.week_start,
    means.attempts,
    means.mean_of_4_weeks,
    means.active_days,
    means.mean_score_percent,
    means.early_mean,
    means.late_mean,
    busiest.week_start AS busiest_week,
    busiest.attempts AS most_attempts,
    CASE
        WHEN means.early_mean IS NULL OR means.late_mean IS NULL
            THEN 'There are too few whole weeks to tell'
        WHEN means.late_mean > 1.1 * means.early_mean THEN 'Yes, it grows'
        WHEN means.late_mean < 0.9 * means.early_mean THEN 'No, it falls'
        ELSE 'No, it stays much the same'
    END AS trend
FROM means
INNER JOIN means AS busiest ON busiest.busyness = 1
ORDER BY means.week_start DESC
LIMIT 104;
