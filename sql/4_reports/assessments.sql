-- reports.assessments: how many assessments are in the data set?
-- Position: 40
-- Reads: marts.exams
-- Grain: one row
-- Parameters: none
-- Answer: {messages} messages, which report {attempts} attempts: a newer message of the same
--     attempt replaces {duplicates} of them.
-- Assumes: The public reports on this data count messages. People mean attempts.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/assessments.sql

SELECT
    SUM(message_count) AS messages,
    SUM(attempt_count) AS attempts,
    SUM(message_count) - SUM(attempt_count) AS duplicates
FROM marts.exams;
