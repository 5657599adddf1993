-- reports.perfect_scores: which exams do people pass without a mistake?
-- Position: 90
-- Reads: marts.exams
-- Grain: exam_name, the 10 with the greatest share
-- Parameters: none
-- Answer: {perfect_percent} % of the attempts at {exam_name} have every answer correct,
--     {perfect_attempts} of {attempts}.
-- Assumes: Exams with fewer than 30 scored attempts are left out.
-- Empty: No exam has 30 scored attempts yet.
-- Chart: bar x=perfect_percent y=exam_name
-- Usage: ./warehouse query -f sql/4_reports/perfect_scores.sql

SELECT
    exam_name,
    SUM(scored_attempt_count) AS attempts,
    SUM(perfect_attempt_count) AS perfect_attempts,
    ROUND(100 * SUM(perfect_attempt_count) / SUM(scored_attempt_count), 1) AS perfect_percent
FROM marts.exams
GROUP BY exam_name
HAVING SUM(scored_attempt_count) >= 30
ORDER BY perfect_percent DESC, exam_name ASC
LIMIT 10;
