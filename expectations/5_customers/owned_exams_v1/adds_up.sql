-- adds_up: rows of customers and of nobody add up to exams.
-- Severity: critical
-- Reason: Each count of the whole is the sum of the counts of all owners.
-- Reads: candidate.exams, candidate.owned_exams
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_exams_v1/adds_up.sql

SELECT
    exam_id,
    SUM(message_count) AS message_count,
    SUM(attempt_count) AS attempt_count,
    SUM(scored_attempt_count) AS scored_attempt_count,
    SUM(perfect_attempt_count) AS perfect_attempt_count
FROM (
    SELECT
        exam_id,
        message_count,
        attempt_count,
        scored_attempt_count,
        perfect_attempt_count
    FROM candidate.owned_exams
    UNION ALL
    SELECT
        exam_id,
        -message_count AS message_count,
        -attempt_count AS attempt_count,
        -scored_attempt_count AS scored_attempt_count,
        -perfect_attempt_count AS perfect_attempt_count
    FROM candidate.exams
) AS compared
GROUP BY
    exam_id
HAVING
    SUM(message_count) <> 0
    OR SUM(attempt_count) <> 0
    OR SUM(scored_attempt_count) <> 0
    OR SUM(perfect_attempt_count) <> 0;
