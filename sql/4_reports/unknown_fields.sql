-- reports.unknown_fields: which fields are not in the contract?
-- Position: 195
-- Reads: flat.messages
-- Grain: field_path, the most frequent first
-- Parameters: none
-- Answer: Fields that the contract does not name: {unknown_fields}. The most frequent is
--     {field_path}, in {messages} of {all_messages} messages.
-- Empty: None. The contract names every field of every message.
-- Hides: unknown_fields, all_messages
-- Assumes: A field counts once per message, and only the first 20 of a message. first_message is
--     the Kafka partition and offset of the first message that had it.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/unknown_fields.sql

WITH fields AS (
    SELECT
        unknown.field_path,
        CONCAT(messages.kafka_partition, ':', messages.kafka_offset) AS message,
        ROW_NUMBER() OVER (
            PARTITION BY unknown.field_path
            ORDER BY
                messages.kafka_published_at,
                messages.kafka_partition,
                messages.kafka_offset
        ) AS place
    FROM
        flat.messages
            LATERAL VIEW EXPLODE(SPLIT(messages.unknown_fields, '\n')) unknown AS field_path
    WHERE messages.unknown_fields <> ''
),

totals AS (
    SELECT COUNT(*) AS all_messages
    FROM flat.messages
)

SELECT
    fields.field_path,
    COUNT(*) AS messages,
    MAX(CASE WHEN fields.place = 1 THEN fields.message END) AS first_message,
    COUNT(*) OVER () AS unknown_fields,
    MAX(totals.all_messages) AS all_messages
FROM fields
CROSS JOIN totals
GROUP BY fields.field_path
ORDER BY messages DESC, fields.field_path ASC;
