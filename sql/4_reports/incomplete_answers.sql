-- reports.incomplete_answers: how many answers are incomplete?
-- Position: 125
-- Reads: flat.messages, flat.attempts
-- Grain: incomplete_percent, the share of the questions answered partly, the most frequent first
-- Parameters: none
-- Answer: {incomplete_attempts} of {all_attempts} attempts have at least one answer that misses
--     some correct options, or {incomplete_messages} of {all_messages} messages.
-- Hides: incomplete_attempts, incomplete_messages, all_attempts, all_messages
-- Assumes: Attempts without counts are left out. Only a question with several correct options can
--     be answered partly.
-- Empty: No attempt has counts yet.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/incomplete_answers.sql

WITH reports AS (
    SELECT
        1 AS messages,
        0 AS attempts,
        incomplete_count / question_count AS incomplete_share
    FROM flat.messages
    WHERE question_count > 0 AND incomplete_count IS NOT NULL
    UNION ALL
    SELECT
        0 AS messages,
        1 AS attempts,
        incomplete_count / question_count AS incomplete_share
    FROM flat.attempts
    WHERE question_count > 0 AND incomplete_count IS NOT NULL
)

SELECT
    ROUND(100 * incomplete_share, 1) AS incomplete_percent,
    SUM(attempts) AS attempts,
    SUM(messages) AS messages,
    SUM(SUM(CASE WHEN incomplete_share > 0 THEN attempts ELSE 0 END)) OVER ()
        AS incomplete_attempts,
    SUM(SUM(CASE WHEN incomplete_share > 0 THEN messages ELSE 0 END)) OVER ()
        AS incomplete_messages,
    SUM(SUM(attempts)) OVER () AS all_attempts,
    SUM(SUM(messages)) OVER () AS all_messages
FROM reports
GROUP BY ROUND(100 * incomplete_share, 1)
ORDER BY attempts DESC, incomplete_percent ASC;
