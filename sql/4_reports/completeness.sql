-- reports.completeness: is every message accounted for?
-- Position: 30
-- Reads: ops.topic_offsets, raw.landings, flat.messages, flat.attempts
-- Grain: one row, none before the first validation
-- Parameters: none
-- Answer: Kafka had {kafka_messages} messages: {raw_messages} are in raw, {rejected_messages}
--     were rejected, {not_landed} are not landed yet, {lost} are lost. Those in raw are {attempts}
--     attempts and {duplicates} duplicates, {not_built} are not in a published release yet.
-- Empty: No validation has run yet.
-- Hides: is_all_landed, is_all_built
-- Assumes: The offsets in Kafka are those that the last validation read. Messages that Kafka
--     deleted since the first landing count. Those deleted before, offsets without a message and
--     erased messages do not. A duplicate is a message whose attempt has a newer one.
-- Front: kafka_messages = raw_messages + rejected_messages if is_all_landed,
--     raw_messages = attempts + duplicates if is_all_built
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/completeness.sql

WITH newest AS (
    SELECT MAX(run_id) AS run_id
    FROM ops.topic_offsets
),

begins AS (
    SELECT
        kafka_topic,
        kafka_partition,
        MIN(start_offset - lost_count) AS first_offset
    FROM raw.landings
    GROUP BY kafka_topic, kafka_partition
),

kafka AS (
    -- A partition that was never landed counts from the first offset that the broker holds.
    SELECT SUM(topic.end_offset - COALESCE(begins.first_offset, topic.start_offset)) AS offset_count
    FROM ops.topic_offsets AS topic
    INNER JOIN newest ON topic.run_id = newest.run_id
    LEFT JOIN begins
        ON
            topic.kafka_topic = begins.kafka_topic
            AND topic.kafka_partition = begins.kafka_partition
),

account AS (
    SELECT
        SUM(accepted_count) AS accepted,
        SUM(rejected_count - SIZE(replayed_offsets)) AS rejected, -- accepted since
        SUM(absent_count + COALESCE(erased_count, 0)) AS absent, -- the erased are nowhere any more
        SUM(lost_count) AS lost,
        SUM(end_offset - start_offset + lost_count) AS offset_count
    FROM raw.landings
),

attempts AS (
    SELECT COUNT(*) AS attempts
    FROM flat.attempts
),

messages AS (
    SELECT COUNT(*) AS messages
    FROM flat.messages
),

totals AS (
    SELECT
        account.accepted AS raw_messages,
        account.rejected AS rejected_messages,
        account.lost,
        attempts.attempts,
        kafka.offset_count - account.absent AS kafka_messages,
        kafka.offset_count - account.offset_count AS not_landed,
        messages.messages - attempts.attempts AS duplicates,
        account.accepted - messages.messages AS not_built
    FROM kafka
    CROSS JOIN account
    CROSS JOIN attempts
    CROSS JOIN messages
)

SELECT
    kafka_messages,
    raw_messages,
    rejected_messages,
    not_landed,
    lost,
    attempts,
    duplicates,
    not_built,
    kafka_messages = raw_messages + rejected_messages AS is_all_landed,
    raw_messages = attempts + duplicates AS is_all_built,
    CASE
        WHEN not_landed = 0 AND lost = 0 AND not_built = 0 THEN 'good'
        -- `land` and `build` close the gap.
        WHEN lost = 0 AND not_landed >= 0 AND not_built >= 0 THEN 'warn'
        ELSE 'bad'
    END AS standing
FROM totals
WHERE kafka_messages IS NOT NULL;
