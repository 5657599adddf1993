-- reports.activity_by_week: does the number of attempts grow?
-- Position: 160
-- Reads: marts.daily_activity
-- Grain: week_start, a Monday, the newest first
-- Parameters: none
-- Answer: {trend}. A week had {early_mean} attempts in the first half of the time and {late_mean}
--     in the second. The busiest week, with {most_attempts}, began on {busiest_week}.
-- Hides: trend, early_mean, late_mean, most_attempts, busiest_week
-- Assumes: Weeks begin on Monday, UTC. The means of both halves are over whole weeks: the first and
--     the last are left out where days are missing. A difference of up to a tenth counts as none.
--     At most the 104 newest weeks are shown. A week without attempts has no row.
-- Chart: line x=week_start y=attempts mean=mean_of_4_weeks
-- Usage: ./warehouse query -f sql/4_reports/activity_by_week.sql

WITH days AS (
    SELECT
        started_date,
        attempt_count,
        scored_attempt_count,
        score_sum,
        DATE_SUB(started_date, PMOD(DATEDIFF(started_date, '1970-01-05'), 7)) AS week_start,
        MIN(started_date) OVER () AS first_date,
        MAX(started_date) OVER () AS last_date,
        DATEDIFF(MAX(started_date) OVER (), MIN(started_date) OVER ()) + 1 AS day_count
    FROM marts.daily_activity
    WHERE started_date IS NOT NULL
),

weeks AS (
    SELECT
        week_start,
        SUM(attempt_count) AS attempts,
        COUNT(DISTINCT started_date) AS active_days,
        ROUND(100 * SUM(score_sum) / SUM(scored_attempt_count), 1) AS mean_score_percent,
        CASE
            WHEN week_start < MAX(first_date) OR DATE_ADD(week_start, 6) > MAX(last_date) THEN NULL
            WHEN DATEDIFF(week_start, MAX(first_date)) + 3 < MAX(day_count) / 2 THEN 'early'
            ELSE 'late'
        END AS half
    FROM days
    GROUP BY week_start
),

compared AS (
    SELECT
        week_start,
        attempts,
        active_days,
        mean_score_percent,
        ROUND(
            AVG(attempts) OVER (ORDER BY week_start ROWS BETWEEN 3 PRECEDING AND CURRENT ROW), 1
        ) AS mean_of_4_weeks,
        ROUND(AVG(CASE WHEN half = 'early' THEN attempts END) OVER (), 1) AS early_mean,
        ROUND(AVG(CASE WHEN half = 'late' THEN attempts END) OVER (), 1) AS late_mean,
        FIRST_VALUE(attempts) OVER (ORDER BY attempts DESC, week_start ASC) AS most_attempts,
        FIRST_VALUE(week_start) OVER (ORDER BY attempts DESC, week_start ASC) AS busiest_week
    FROM weeks
)

SELECT
    week_start,
    attempts,
    mean_of_4_weeks,
    active_days,
    mean_score_percent,
    early_mean,
    late_mean,
    most_attempts,
    busiest_week,
    CASE
        WHEN early_mean IS NULL OR late_mean IS NULL THEN 'There are too few whole weeks to tell'
        WHEN late_mean > 1.1 * early_mean THEN 'Yes, it grows'
        WHEN late_mean < 0.9 * early_mean THEN 'No, it falls'
        ELSE 'No, it stays much the same'
    END AS trend
FROM compared
ORDER BY week_start DESC
LIMIT 104;
