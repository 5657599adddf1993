-- one_event: an attempt has one event, and an event one attempt.
-- Severity: warning
-- Reason: The newest report of an attempt counts, whatever its event. Two events (keen_id)
--     for one attempt, or one event for two attempts, mean that the ids of the source are not
--     what they were. Only an attempt with several messages can have several events.
-- Reads: candidate.messages, candidate.superseded_messages
-- Parameters: since integer
-- Names: fault
-- Usage: ./warehouse beeline -f expectations/2_flat/attempts_v1/one_event.sql
--     --hivevar since=0

WITH attempts AS (
    SELECT attempt_id
    FROM candidate.superseded_messages
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY attempt_id
),

events AS (
    SELECT event_id
    FROM candidate.messages
    GROUP BY event_id
    HAVING COUNT(*) > 1 AND MAX(landing) > ${since}
)

SELECT
    'an attempt with several events' AS fault,
    messages.attempt_id,
    MAX(messages.event_id) AS event_id
FROM candidate.messages AS messages
INNER JOIN attempts ON messages.attempt_id = attempts.attempt_id
GROUP BY messages.attempt_id
HAVING MIN(messages.event_id) <> MAX(messages.event_id)
UNION ALL
SELECT
    'an event with several attempts' AS fault,
    MAX(messages.attempt_id) AS attempt_id,
    messages.event_id
FROM candidate.messages AS messages
INNER JOIN events ON messages.event_id = events.event_id
GROUP BY messages.event_id
HAVING MIN(messages.attempt_id) <> MAX(messages.attempt_id);
