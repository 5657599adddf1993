-- counts: every message of an attempt is superseded, but one.
-- Severity: critical
-- Reason: So messages = attempts + superseded messages, exactly. In a build, of the attempts
--     that the new landings report.
-- Reads: candidate.attempts, candidate.messages, candidate.superseded_messages
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/superseded_messages_v1/counts.sql
--     --hivevar since=0

WITH counted AS (
    SELECT
        attempt_id,
        landing,
        1 AS message_rows,
        0 AS attempt_rows,
        0 AS superseded_rows
    FROM candidate.messages
    UNION ALL
    SELECT
        attempt_id,
        landing,
        0 AS message_rows,
        1 AS attempt_rows,
        0 AS superseded_rows
    FROM candidate.attempts
    UNION ALL
    SELECT
        attempt_id,
        landing,
        0 AS message_rows,
        0 AS attempt_rows,
        1 AS superseded_rows
    FROM candidate.superseded_messages
)

SELECT
    attempt_id,
    SUM(message_rows) AS message_rows,
    SUM(attempt_rows) AS attempt_rows,
    SUM(superseded_rows) AS superseded_rows
FROM counted
GROUP BY attempt_id
HAVING
    MAX(landing) > ${since}
    AND (SUM(attempt_rows) <> 1 OR SUM(message_rows) <> 1 + SUM(superseded_rows));
