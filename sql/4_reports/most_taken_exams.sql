-- reports.most_taken_exams: which exams are taken most?
-- Position: 60
-- Reads: marts.exams
-- Grain: exam_name, the 10 taken most
-- Parameters: none
-- Answer: {exam_name} is taken most: {attempts} attempts, {messages} messages.
-- Assumes: Exams of one name count as one, even if they have two ids. Ties are in alphabetical
--     order.
-- Chart: bar x=attempts y=exam_name
-- Dashboard: 6
-- Usage: ./warehouse query -f sql/4_reports/most_taken_exams.sql

SELECT
    exam_name,
    SUM(attempt_count) AS attempts,
    SUM(message_count) AS messages,
    COUNT(*) AS exam_ids
FROM marts.exams
GROUP BY exam_name
ORDER BY attempts DESC, exam_name ASC
LIMIT 10;
