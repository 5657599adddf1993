-- reports.attempt_duration: how long does an attempt take?
-- Position: 180
-- Reads: flat.attempts, flat.question_options
-- Grain: duration, a range of minutes, the shortest first
-- Parameters: none
-- Answer: The median is {median_minutes} minutes and the mean {mean_minutes}, of {timed} attempts.
--     From the first click to the last it is a mean of {mean_click_minutes}. Clocks distort this:
--     {impossible} attempts end before they start, {endless} seem to take an hour or more.
-- Empty: No attempt has a start and a click.
-- Hides: duration_number, median_minutes, mean_minutes, mean_click_minutes, timed, impossible,
--     endless
-- Assumes: The time runs from the start to the last click, in whole seconds. Clicks have the clock
--     of the client, which may be wrong by minutes, and nothing says whether a person was away.
--     Attempts without a click or a start are left out. Attempts that end before they start are in
--     the table and in the means, as in the public reports, but not in the median.
-- Chart: column x=duration y=attempts
-- Dashboard: 4
-- Usage: ./warehouse query -f sql/4_reports/attempt_duration.sql

WITH durations AS (
    SELECT
        attempts.attempt_id,
        UNIX_TIMESTAMP(MAX(question_options.clicked_at))
        - UNIX_TIMESTAMP(MIN(attempts.started_at)) AS seconds,
        UNIX_TIMESTAMP(MAX(question_options.clicked_at))
        - UNIX_TIMESTAMP(MIN(question_options.clicked_at)) AS click_seconds
    FROM flat.attempts
    INNER JOIN flat.question_options ON attempts.attempt_id = question_options.attempt_id
    WHERE attempts.started_at IS NOT NULL AND question_options.clicked_at IS NOT NULL
    GROUP BY attempts.attempt_id
),

timings AS (
    SELECT
        COUNT(*) AS timed,
        COUNT(CASE WHEN seconds < 0 THEN 1 END) AS impossible,
        COUNT(CASE WHEN seconds >= 3600 THEN 1 END) AS endless,
        ROUND(AVG(seconds) / 60, 3) AS mean_minutes,
        ROUND(AVG(click_seconds) / 60, 3) AS mean_click_minutes,
        ROUND(PERCENTILE(CASE WHEN seconds >= 0 THEN seconds END, 0.5) / 60, 1) AS median_minutes
    FROM durations
),

spans AS (
    SELECT
        CASE
            WHEN seconds < 0 THEN 0
            WHEN seconds < 60 THEN 1
            WHEN seconds < 120 THEN 2
            WHEN seconds < 300 THEN 5
            WHEN seconds < 900 THEN 15
            WHEN seconds < 3600 THEN 60
            ELSE 61
        END AS minute_limit
    FROM durations
)

SELECT
    spans.minute_limit AS duration_number,
    CASE spans.minute_limit
        WHEN 0 THEN 'ends before it starts'
        WHEN 1 THEN 'under 1 minute'
        WHEN 2 THEN '1 to 2 minutes'
        WHEN 5 THEN '2 to 5 minutes'
        WHEN 15 THEN '5 to 15 minutes'
        WHEN 60 THEN '15 to 60 minutes'
        WHEN 61 THEN 'an hour or more'
    END AS duration,
    COUNT(*) AS attempts,
    ROUND(100 * COUNT(*) / SUM(COUNT(*)) OVER (), 1) AS attempts_percent,
    MAX(timings.median_minutes) AS median_minutes,
    MAX(timings.mean_minutes) AS mean_minutes,
    MAX(timings.mean_click_minutes) AS mean_click_minutes,
    MAX(timings.timed) AS timed,
    MAX(timings.impossible) AS impossible,
    MAX(timings.endless) AS endless
FROM spans
CROSS JOIN timings
GROUP BY spans.minute_limit
ORDER BY duration_number;
