-- every_attempt: every attempt has one owner.
-- Severity: critical
-- Reason: An attempt without an owner would be in no table, and with two it would be counted twice.
-- Reads: candidate.attempt_owners, candidate.attempts
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/attempt_owners_v1/every_attempt.sql

SELECT
    attempt_id,
    SUM(attempts) AS attempts,
    SUM(owners) AS owners
FROM (
    SELECT
        attempt_id,
        1 AS attempts,
        0 AS owners
    FROM candidate.attempts
    UNION ALL
    SELECT
        attempt_id,
        0 AS attempts,
        1 AS owners
    FROM candidate.attempt_owners
) AS compared
GROUP BY attempt_id
HAVING SUM(attempts) <> 1 OR SUM(owners) <> 1;
