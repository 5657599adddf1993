-- reports.least_taken_exams: which exams are taken least?
-- Position: 70
-- Reads: marts.exams
-- Grain: exam_name, the 10 taken least
-- Parameters: none
-- Answer: {exams_taken_as_often} of the exams share the least number of attempts, which is
--     {attempts}. One of them is {exam_name}.
-- Hides: exams_taken_as_often
-- Assumes: Exams of one name count as one, also where they have two ids. Exams of equal rank stand
--     in alphabetical order. Exams that nobody took are unknown to the data.
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
