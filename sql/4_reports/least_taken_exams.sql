-- reports.least_taken_exams: which exams are taken least?
-- Position: 70
-- Reads: marts.exams
-- Grain: exam_name, the 10 taken least
-- Parameters: none
-- Answer: The smallest number of attempts at an exam is {attempts}, as at {exam_name}. Exams with
--     that number: {exams_taken_as_often}.
-- Hides: exams_taken_as_often
-- Assumes: Exams of one name count as one, even if they have two ids. Ties are in alphabetical
--     order. The data does not hold exams that nobody took.
-- Chart: bar x=attempts y=exam_name
-- Usage: ./warehouse query -f sql/4_reports/least_taken_exams.sql

SELECT
    exam_name,
    attempts,
    messages,
    COUNT(*) OVER (PARTITION BY attempts) AS exams_taken_as_often
FROM (
    SELECT
        exam_name,
        SUM(attempt_count) AS attempts,
        SUM(message_count) AS messages
    FROM marts.exams
    GROUP BY exam_name
) AS exams
ORDER BY attempts, exam_name
LIMIT 10;
