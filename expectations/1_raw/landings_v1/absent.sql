-- absent: each offset that was landed has a message.
-- Severity: warning
-- Reason: Offsets without a message belong to aborted transactions, their markers, or messages that
--     Kafka compacted away. A topic of plain producers has none but canaries. Find the
--     transactional producer, or who set the topic to compact.
-- Reads: raw.landings, raw.canaries
-- Parameters: landing integer
-- Usage: ./warehouse beeline -f expectations/1_raw/landings_v1/absent.sql --hivevar landing=1

WITH canaries AS (
    SELECT
        landing,
        kafka_topic,
        kafka_partition,
        COUNT(*) AS canary_count
    FROM raw.canaries
    GROUP BY landing, kafka_topic, kafka_partition
)

SELECT
    landings.landing,
    landings.kafka_partition,
    landings.absent_count,
    canaries.canary_count
FROM raw.landings AS landings
LEFT JOIN canaries
    ON
        landings.landing = canaries.landing
        AND landings.kafka_topic = canaries.kafka_topic
        AND landings.kafka_partition = canaries.kafka_partition
WHERE
    landings.landing <= ${landing}
    AND landings.absent_count <> COALESCE(canaries.canary_count, 0);
