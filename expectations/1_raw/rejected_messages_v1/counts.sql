-- counts: each landing has as many rejected messages as the loader counted.
-- Severity: critical
-- Reason: Rejected by the loader = rejected rows + those that a later landing accepted by
--     replay. Each offset has one row, within the landing.
-- Reads: raw.landings, raw.rejected_messages
-- Parameters: since integer, landing integer
-- Usage: ./warehouse beeline -f expectations/1_raw/rejected_messages_v1/counts.sql --hivevar
--     since=0 --hivevar landing=1

WITH rejected AS (
    SELECT
        kafka_topic,
        kafka_partition,
        landing,
        COUNT(*) AS row_count,
        COUNT(DISTINCT kafka_offset) AS offset_count,
        MIN(kafka_offset) AS first_offset,
        MAX(kafka_offset) AS last_offset
    FROM raw.rejected_messages
    WHERE landing > ${since} AND landing <= ${landing}
    GROUP BY kafka_topic, kafka_partition, landing
),

replayed AS (
    SELECT
        kafka_topic,
        kafka_partition,
        kafka_offset
    FROM raw.landings
        LATERAL VIEW EXPLODE(replayed_offsets) replays AS kafka_offset
),

landings AS (
    SELECT
        landings.kafka_topic,
        landings.kafka_partition,
        landings.landing,
        landings.start_offset,
        landings.end_offset,
        landings.rejected_count,
        COUNT(replayed.kafka_offset) AS replayed_count
    FROM raw.landings AS landings
    LEFT JOIN replayed
        ON
            landings.kafka_topic = replayed.kafka_topic
            AND landings.kafka_partition = replayed.kafka_partition
            AND landings.start_offset <= replayed.kafka_offset
            AND landings.end_offset > replayed.kafka_offset
    WHERE landings.landing > ${since} AND landings.landing <= ${landing}
    GROUP BY
        landings.kafka_topic,
        landings.kafka_partition,
        landings.landing,
        landings.start_offset,
        landings.end_offset,
        landings.rejected_count
)

SELECT
    landings.landing,
    landings.kafka_partition,
    landings.rejected_count,
    landings.replayed_count,
    landings.start_offset,
    landings.end_offset,
    rejected.landing AS rejected_landing,
    rejected.row_count,
    rejected.offset_count,
    rejected.first_offset,
    rejected.last_offset
FROM landings
FULL JOIN rejected
    ON
        landings.kafka_topic = rejected.kafka_topic
        AND landings.kafka_partition = rejected.kafka_partition
        AND landings.landing = rejected.landing
WHERE
    landings.landing IS NULL
    -- A landing may reject none.
    OR landings.rejected_count <> COALESCE(rejected.row_count, 0) + landings.replayed_count
    OR rejected.row_count <> rejected.offset_count
    OR rejected.first_offset < landings.start_offset
    OR rejected.last_offset >= landings.end_offset;
