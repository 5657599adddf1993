-- reports.exams_by_subject: how many exams are about a subject?
-- Position: 72
-- Reads: marts.exams
-- Grain: subject, the one with the most attempts first
-- Parameters: none
-- Answer: {exams} exams have {subject} in their name. With {attempts} attempts, reported by
--     {messages} messages, it is the most popular of these subjects.
-- Assumes: The data names no subjects. An exam is about every listed subject that is a word of its
--     name, so JavaScript is not Java. The list is part of the SQL.
-- Chart: bar x=attempts y=subject
-- Dashboard: 6
-- Usage: ./warehouse query -f sql/4_reports/exams_by_subject.sql

WITH subjects AS (
    SELECT EXPLODE(SPLIT(
        'Amazon,Architecture,C#,Git,Hadoop,Java,JavaScript,Linux,Microservices,Python,R,SQL',
        ','
    )) AS subject
),

exams AS (
    SELECT
        exam_name,
        SUM(attempt_count) AS attempts,
        SUM(message_count) AS messages,
        SUM(score_sum) AS score_sum,
        SUM(scored_attempt_count) AS scored_attempts
    FROM marts.exams
    GROUP BY exam_name
)

SELECT
    subjects.subject,
    COUNT(*) AS exams,
    SUM(exams.attempts) AS attempts,
    SUM(exams.messages) AS messages,
    ROUND(100 * SUM(exams.score_sum) / SUM(exams.scored_attempts), 1) AS mean_score_percent
FROM subjects
CROSS JOIN exams
WHERE exams.exam_name RLIKE CONCAT('(^|[^A-Za-z])', subjects.subject, '([^A-Za-z]|$)')
GROUP BY subjects.subject
ORDER BY attempts DESC, subjects.subject ASC;
