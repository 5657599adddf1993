-- newest_message: an attempt is reported by a newer message than each that no longer counts.
-- Severity: critical
-- Reason: Newer is the later time of publication, then the higher partition, then the higher
--     offset. That every other message of an attempt is superseded is a check of
--     flat.superseded_messages. In a build, of the messages that the new landings superseded.
-- Reads: candidate.attempts, candidate.messages, candidate.superseded_messages
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/attempts_v1/newest_message.sql
--     --hivevar since=0

WITH superseded AS (
    SELECT
        superseded.attempt_id,
        superseded.kafka_partition,
        superseded.kafka_offset,
        -- Without a time of publication a message is the oldest.
        COALESCE(messages.kafka_published_at, CAST('1970-01-01' AS TIMESTAMP)) AS published_at
    FROM candidate.superseded_messages AS superseded
    INNER JOIN candidate.messages AS messages
        ON
            superseded.kafka_partition = messages.kafka_partition
            AND superseded.kafka_offset = messages.kafka_offset
    WHERE superseded.landing > ${since} AND superseded.last_landing > ${since}
),

attempts AS (
    SELECT
        attempt_id,
        kafka_partition,
        kafka_offset,
        COALESCE(kafka_published_at, CAST('1970-01-01' AS TIMESTAMP)) AS published_at
    FROM candidate.attempts
)

SELECT
    superseded.attempt_id,
    superseded.kafka_partition AS superseded_partition,
    superseded.kafka_offset AS superseded_offset,
    superseded.published_at AS superseded_published_at,
    attempts.kafka_partition,
    attempts.kafka_offset,
    attempts.published_at
FROM superseded
LEFT JOIN attempts ON superseded.attempt_id = attempts.attempt_id
WHERE
    attempts.attempt_id IS NULL
    OR CASE
        WHEN superseded.published_at <> attempts.published_at
            THEN superseded.published_at > attempts.published_at
        WHEN superseded.kafka_partition <> attempts.kafka_partition
            THEN superseded.kafka_partition > attempts.kafka_partition
        ELSE superseded.kafka_offset >= attempts.kafka_offset
    END;
