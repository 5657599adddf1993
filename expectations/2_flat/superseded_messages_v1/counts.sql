-- counts: every message of an attempt is superseded, but one.
-- Severity: critical
-- Reason: So messages = attempts + superseded messages, exactly. In a build, of the attempts
--     that the new landings report.
-- Reads: candidate.attempts, candidate.messages, candidate.superseded_messages
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/superseded_messages_v1/counts.sql
--     --hivevar since=0

WITH reported AS (
    SELECT attempt_id
    FROM candidate.messages
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY attempt_id
),

counted AS (
    SELECT
        attempt_id,
        1 AS message_rows,
        0 AS attempt_rows,
        0 AS superseded_rows
    FROM candidate.messages
    UNION ALL
    SELECT
        attempt_id,
        0 AS message_rows,
        1 AS attempt_rows,
        0 AS superseded_rows
    FROM candidate.attempts
    UNION ALL
    SELECT
        attempt_id,
        0 AS message_rows,
        0 AS attempt_rows,
        1 AS superseded_rows
    FROM candidate.superseded_messages
)

SELECT
    counted.attempt_id,
    SUM(counted.message_rows) AS message_rows,
    SUM(counted.attempt_rows) AS attempt_rows,
    SUM(counted.superseded_rows) AS superseded_rows
FROM counted
INNER JOIN reported ON counted.attempt_id = reported.attempt_id
GROUP BY counted.attempt_id
HAVING
    SUM(counted.attempt_rows) <> 1
    OR SUM(counted.message_rows) <> 1 + SUM(counted.superseded_rows);
