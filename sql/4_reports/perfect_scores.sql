-- reports.perfect_scores: which exams do people most often complete without a mistake?
-- Position: 90
-- Reads: marts.exams, flat.messages
-- Grain: exam_name, the 10 with the greatest share
-- Parameters: none
-- Answer: {perfect_percent} of the attempts at {exam_name} have every answer correct:
--     {perfect_attempts} of {attempts}, or {perfect_messages} messages.
-- Assumes: Exams with fewer than 30 scored attempts are left out.
-- Empty: No exam has 30 scored attempts yet.
-- Chart: bar x=perfect_percent y=exam_name
-- Usage: ./warehouse query -f sql/4_reports/perfect_scores.sql

WITH exams AS (
    SELECT
        exam_name,
        SUM(scored_attempt_count) AS attempts,
        SUM(perfect_attempt_count) AS perfect_attempts
    FROM marts.exams
    GROUP BY exam_name
    HAVING SUM(scored_attempt_count) >= 30
),

messages AS (
    SELECT
        exams.exam_name,
        COUNT(CASE WHEN messages.is_all_correct AND messages.score IS NOT NULL THEN 1 END)
            AS perfect_messages
    FROM flat.messages
    INNER JOIN marts.exams ON messages.exam_id = exams.exam_id
    GROUP BY exams.exam_name
)

SELECT
    exams.exam_name,
    exams.attempts,
    exams.perfect_attempts,
    messages.perfect_messages,
    ROUND(100 * exams.perfect_attempts / exams.attempts, 1) AS perfect_percent
FROM exams
INNER JOIN messages ON exams.exam_name = messages.exam_name
ORDER BY exams.perfect_attempts / exams.attempts DESC, exams.exam_name ASC
LIMIT 10;
