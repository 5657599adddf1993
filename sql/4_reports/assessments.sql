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

-- Without a row there is nothing to add up: that is 0, not unknown.
SELECT
    COALESCE(SUM(message_count), 0) AS messages,
    COALESCE(SUM(attempt_count), 0) AS attempts,
    COALESCE(SUM(message_count) - SUM(attempt_count), 0) AS duplicates
FROM marts.exams;
