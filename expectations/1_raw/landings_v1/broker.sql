-- broker: the broker still holds the landed topic, and deleted nothing that is not landed.
-- Severity: critical
-- Reason: By the offsets that this validation observed. A topic that was recreated or ends
--     before the landed offsets has other messages at the same offsets. A topic that starts after
--     them has lost messages. What retention deleted before the first landing is no loss.
-- Reads: ops.topic_offsets, raw.landings
-- Parameters: run_id identifier, landing integer
-- Usage: ./warehouse beeline -f expectations/1_raw/landings_v1/broker.sql --hivevar run_id=r1
--     --hivevar landing=1

WITH landed AS (
    SELECT
        kafka_topic,
        kafka_partition,
        MAX(end_offset) AS end_offset,
        MIN(topic_id) AS first_topic_id,
        MAX(topic_id) AS last_topic_id
    FROM raw.landings
    WHERE landing <= ${landing}
    GROUP BY kafka_topic, kafka_partition
)

SELECT
    broker.kafka_topic,
    broker.kafka_partition,
    broker.topic_id,
    landed.first_topic_id,
    landed.last_topic_id,
    landed.end_offset AS landed_end_offset,
    broker.start_offset AS broker_start_offset,
    broker.end_offset AS broker_end_offset
FROM ops.topic_offsets AS broker
INNER JOIN landed
    ON
        broker.kafka_topic = landed.kafka_topic
        AND broker.kafka_partition = landed.kafka_partition
WHERE
    broker.run_id = '${run_id}'
    AND (
        landed.first_topic_id <> broker.topic_id
        OR landed.last_topic_id <> broker.topic_id
        OR landed.end_offset > broker.end_offset
        OR landed.end_offset < broker.start_offset
    );
