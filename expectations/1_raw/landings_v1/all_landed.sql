-- all_landed: every message in Kafka is landed.
-- Severity: warning
-- Reason: Messages published after the last landing are in no table yet. Run ./warehouse run.
-- Reads: ops.topic_offsets, raw.landings
-- Parameters: run_id identifier, landing integer
-- Usage: ./warehouse beeline -f expectations/1_raw/landings_v1/all_landed.sql --hivevar
--     run_id=r1 --hivevar landing=1

WITH landed AS (
    SELECT
        kafka_topic,
        kafka_partition,
        MAX(end_offset) AS end_offset
    FROM raw.landings
    WHERE landing <= ${landing}
    GROUP BY kafka_topic, kafka_partition
)

SELECT
    broker.kafka_topic,
    broker.kafka_partition,
    landed.end_offset AS landed_end_offset,
    broker.start_offset AS broker_start_offset,
    broker.end_offset AS broker_end_offset
FROM ops.topic_offsets AS broker
LEFT JOIN landed
    ON
        broker.kafka_topic = landed.kafka_topic
        AND broker.kafka_partition = landed.kafka_partition
WHERE
    broker.run_id = '${run_id}'
    -- A partition that was never landed counts from the first offset that the broker holds.
    AND broker.end_offset > COALESCE(landed.end_offset, broker.start_offset);
