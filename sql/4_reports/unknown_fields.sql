-- reports.unknown_fields: which fields are not in the contract?
-- Position: 195
-- Reads: flat.messages
-- Grain: field_path, the most frequent first, one row without a path where there is none
-- Parameters: none
-- Answer: {unknown_fields} fields are unknown. The most frequent is {field_path}, in {messages}
--     messages.
-- Hides: unknown_fields
-- Assumes: A field counts once per message, and only the first 20 of a message. first_message is
--     its Kafka partition and offset, the example its value there as JSON, cut to 200 characters.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/unknown_fields.sql

WITH found AS (
    SELECT
        unknown.field.path AS field_path,
        unknown.field.example AS field_example,
        CONCAT(messages.kafka_partition, ':', messages.kafka_offset) AS message,
        ROW_NUMBER() OVER (
            PARTITION BY unknown.field.path
            ORDER BY
                messages.kafka_published_at,
                messages.kafka_partition,
                messages.kafka_offset
        ) AS place
    FROM flat.messages
        LATERAL VIEW EXPLODE(messages.unknown_fields) unknown AS field
),

fields AS (
    SELECT
        field_path,
        COUNT(*) AS messages,
        MAX(CASE WHEN place = 1 THEN message END) AS first_message,
        MAX(CASE WHEN place = 1 THEN field_example END) AS example
    FROM found
    GROUP BY field_path
),

counted AS (
    SELECT COUNT(*) AS unknown_fields
    FROM fields
)

-- Where there is none, its row says so.
SELECT
    counted.unknown_fields,
    fields.first_message,
    fields.example,
    COALESCE(fields.field_path, 'none') AS field_path,
    COALESCE(fields.messages, 0) AS messages
FROM counted
LEFT JOIN fields ON counted.unknown_fields > 0
ORDER BY messages DESC, field_path ASC;
