-- newest_message: each attempt has one row, and no message of it is newer.
-- Severity: critical
-- Reason: Newer is the later time of publication, then the higher partition, then the higher
--     offset. In a build, of the attempts that the new landings report.
-- Reads: candidate.attempts, candidate.messages
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/attempts_v1/newest_message.sql --hivevar
--     since=0

WITH reported AS (
    SELECT attempt_id
    FROM candidate.messages
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY attempt_id
),

messages AS (
    SELECT
        messages.attempt_id,
        messages.kafka_partition,
        messages.kafka_offset,
        -- Without a time of publication a message is the oldest.
        COALESCE(messages.kafka_published_at, CAST('1970-01-01' AS TIMESTAMP)) AS published_at
    FROM candidate.messages AS messages
    INNER JOIN reported ON messages.attempt_id = reported.attempt_id
),

attempts AS (
    SELECT
        attempt_id,
        kafka_partition,
        kafka_offset,
        COALESCE(kafka_published_at, CAST('1970-01-01' AS TIMESTAMP)) AS published_at
    FROM candidate.attempts
),

compared AS (
    SELECT
        messages.attempt_id,
        CASE
            WHEN
                messages.kafka_partition = attempts.kafka_partition
                AND messages.kafka_offset = attempts.kafka_offset
                THEN 1
            ELSE 0
        END AS is_same,
        CASE
            WHEN messages.published_at <> attempts.published_at
                THEN messages.published_at > attempts.published_at
            WHEN messages.kafka_partition <> attempts.kafka_partition
                THEN messages.kafka_partition > attempts.kafka_partition
            ELSE messages.kafka_offset > attempts.kafka_offset
        END AS is_newer
    FROM messages
    LEFT JOIN attempts ON messages.attempt_id = attempts.attempt_id
)

SELECT
    attempt_id,
    SUM(is_same) AS row_count,
    SUM(CASE WHEN is_newer THEN 1 ELSE 0 END) AS newer_messages
FROM compared
GROUP BY attempt_id
HAVING SUM(is_same) <> 1 OR SUM(CASE WHEN is_newer THEN 1 ELSE 0 END) > 0;
