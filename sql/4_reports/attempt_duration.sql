-- reports.attempt_duration: how long does an attempt take?
-- Position: 180
-- Reads: flat.attempts, flat.question_options
-- Grain: duration, a range of minutes, the most frequent first
-- Parameters: none
-- Answer: Most attempts, {attempts} or {attempts_percent} %, take {duration}.
-- Assumes: From the start to the last click. The figure is dirty: clicks bear the clock of the
--     client, which may be wrong by minutes, and nobody says whether a person was away. Attempts
--     without a click or a start are left out.
-- Chart: column x=duration y=attempts
-- Usage: ./warehouse query -f sql/4_reports/attempt_duration.sql

SELECT
    duration,
    COUNT(*) AS attempts,
    ROUND(100 * COUNT(*) / SUM(COUNT(*)) OVER (), 1) AS attempts_percent
FROM (
    SELECT
        CASE
            WHEN seconds < 0 THEN '0: less than no time'
            WHEN seconds < 60 THEN '1: up to 1 minute'
            WHEN seconds < 120 THEN '2: up to 2 minutes'
            WHEN seconds < 300 THEN '3: up to 5 minutes'
            WHEN seconds < 900 THEN '4: up to 15 minutes'
            WHEN seconds < 3600 THEN '5: up to 1 hour'
            ELSE '6: more than 1 hour'
        END AS duration
    FROM (
        SELECT
            attempts.attempt_id,
            UNIX_TIMESTAMP(MAX(question_options.clicked_at))
            - UNIX_TIMESTAMP(MIN(attempts.started_at)) AS seconds
        FROM flat.attempts
        INNER JOIN flat.question_options ON attempts.attempt_id = question_options.attempt_id
        WHERE attempts.started_at IS NOT NULL AND question_options.clicked_at IS NOT NULL
        GROUP BY attempts.attempt_id
    ) AS measured
) AS ranges
GROUP BY duration
ORDER BY attempts DESC, duration ASC;
