-- not_accepted: no rejected message is accepted as well.
-- Severity: critical
-- Reason: A message that a replay accepted leaves the rejected ones. In both tables it would
--     count twice.
-- Reads: candidate.messages, raw.rejected_messages
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/1_raw/rejected_messages_v1/not_accepted.sql
--     --hivevar since=0

SELECT
    rejected.kafka_topic,
    rejected.kafka_partition,
    rejected.kafka_offset,
    rejected.landing AS rejected_landing,
    messages.landing AS accepted_landing
FROM raw.rejected_messages AS rejected
INNER JOIN candidate.messages AS messages
    ON
        rejected.kafka_topic = messages.kafka_topic
        AND rejected.kafka_partition = messages.kafka_partition
        AND rejected.kafka_offset = messages.kafka_offset
WHERE messages.landing > ${since} AND messages.last_landing > ${since};
