-- reports.completeness: is every message accounted for?
-- Position: 30
-- Reads: ops.topic_offsets, raw.landings, flat.attempts
-- Grain: one row
-- Parameters: none
-- Answer: Kafka holds {kafka_messages} messages: {accepted} are in raw, {rejected} were rejected,
--     {not_landed} are not landed yet. The accepted ones are {attempts} attempts and {duplicates}
--     duplicates.
-- Assumes: Kafka was asked by the last validation. Its messages are counted by their offsets, what
--     was deleted from the topic since included.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/completeness.sql

WITH newest AS (
    SELECT MAX(run_id) AS run_id
    FROM ops.topic_offsets
),

kafka AS (
    SELECT SUM(topic_offsets.end_offset) AS messages
    FROM ops.topic_offsets
    INNER JOIN newest ON topic_offsets.run_id = newest.run_id
),

landed AS (
    SELECT
        SUM(accepted_count) AS accepted,
        SUM(rejected_count - SIZE(replayed_offsets)) AS rejected, -- accepted since
        SUM(end_offset - start_offset + lost_count) AS messages
    FROM raw.landings
),

built AS (
    SELECT
        COUNT(*) AS attempts,
        SUM(message_count) AS messages
    FROM flat.attempts
)

SELECT
    kafka.messages AS kafka_messages,
    landed.accepted,
    landed.rejected,
    built.attempts,
    built.messages - built.attempts AS duplicates,
    kafka.messages - landed.messages AS not_landed,
    landed.accepted - built.messages AS not_built
FROM kafka
CROSS JOIN landed
CROSS JOIN built;
