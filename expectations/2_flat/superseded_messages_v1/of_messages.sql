-- of_messages: each superseded message is a message of its attempt, and is listed once.
-- Severity: critical
-- Reason: A row with other coordinates would hide the message of another attempt.
-- Reads: candidate.messages, candidate.superseded_messages
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/superseded_messages_v1/of_messages.sql
--     --hivevar since=0

WITH superseded AS (
    SELECT
        kafka_partition,
        kafka_offset,
        attempt_id,
        COUNT(*) AS row_count
    FROM candidate.superseded_messages
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY kafka_partition, kafka_offset, attempt_id
)

SELECT
    superseded.kafka_partition,
    superseded.kafka_offset,
    superseded.attempt_id,
    superseded.row_count
FROM superseded
LEFT JOIN candidate.messages AS messages
    ON
        superseded.kafka_partition = messages.kafka_partition
        AND superseded.kafka_offset = messages.kafka_offset
        AND superseded.attempt_id = messages.attempt_id
WHERE messages.attempt_id IS NULL OR superseded.row_count > 1;
