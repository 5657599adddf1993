-- counts: each landing has as many accepted messages as the loader counted.
-- Severity: critical
-- Reason: Fewer rows are lost messages, more are doubled ones. Offsets lie within the
--     landing, but for those that a replay brought back.
-- Reads: candidate.messages, raw.landings
-- Parameters: since integer, landing integer
-- Usage: ./warehouse beeline -f expectations/1_raw/assessments_v1/counts.sql --hivevar
--     since=0 --hivevar landing=1

WITH messages AS (
    SELECT
        kafka_topic,
        kafka_partition,
        landing,
        COUNT(*) AS row_count,
        MIN(kafka_offset) AS first_offset,
        MAX(kafka_offset) AS last_offset
    FROM candidate.messages
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY kafka_topic, kafka_partition, landing
),

landings AS (
    SELECT *
    FROM raw.landings
    WHERE landing > ${since} AND landing <= ${landing}
)

SELECT
    landings.landing,
    landings.kafka_partition,
    landings.accepted_count,
    landings.start_offset,
    landings.end_offset,
    messages.landing AS message_landing,
    messages.row_count,
    messages.first_offset,
    messages.last_offset
FROM landings
FULL JOIN messages
    ON
        landings.kafka_topic = messages.kafka_topic
        AND landings.kafka_partition = messages.kafka_partition
        AND landings.landing = messages.landing
WHERE
    landings.landing IS NULL
    OR landings.accepted_count <> COALESCE(messages.row_count, 0) -- a landing may accept none
    OR messages.last_offset >= landings.end_offset
    OR (
        messages.first_offset < landings.start_offset
        AND SIZE(landings.replayed_offsets) = 0
    );
