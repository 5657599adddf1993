-- flat.attempts: one row per attempt at an exam, as its newest message reports it.
-- Reads: flat.messages, flat.superseded_messages
-- Writes: flat.attempts
-- Grain: attempt_id
-- Parameters: none
-- Usage: ./warehouse beeline -f sql/2_flat/attempts_v1.sql

CREATE DATABASE IF NOT EXISTS flat;

CREATE OR REPLACE VIEW flat.attempts AS
SELECT messages.*
FROM flat.messages AS messages
LEFT JOIN flat.superseded_messages AS superseded
    ON
        messages.kafka_partition = superseded.kafka_partition
        AND messages.kafka_offset = superseded.kafka_offset
WHERE superseded.kafka_offset IS NULL;
