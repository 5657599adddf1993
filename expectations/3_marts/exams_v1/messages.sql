-- messages: exams and hours add up to all messages.
-- Severity: critical
-- Reason: Every message counts in one exam and in one hour, duplicates included.
-- Reads: candidate.daily_activity, candidate.exams, candidate.messages
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/exams_v1/messages.sql

WITH messages AS (
    SELECT COUNT(*) AS message_count
    FROM candidate.messages
),

exams AS (
    SELECT COALESCE(SUM(message_count), 0) AS message_count -- no rows have no sum
    FROM candidate.exams
),

activity AS (
    SELECT COALESCE(SUM(message_count), 0) AS message_count
    FROM candidate.daily_activity
)

SELECT
    messages.message_count,
    exams.message_count AS exam_messages,
    activity.message_count AS hour_messages
FROM messages
CROSS JOIN exams
CROSS JOIN activity
WHERE
    messages.message_count <> exams.message_count
    OR messages.message_count <> activity.message_count;
