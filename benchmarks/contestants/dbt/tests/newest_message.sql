-- An attempt has one row, and no message of it is newer.
SELECT attempts.attempt_id
FROM {{ ref('attempts') }} AS attempts
INNER JOIN {{ ref('messages') }} AS messages ON attempts.attempt_id = messages.attempt_id
WHERE
    messages.kafka_published_at > attempts.kafka_published_at
    OR (
        messages.kafka_published_at = attempts.kafka_published_at
        AND messages.kafka_partition = attempts.kafka_partition
        AND messages.kafka_offset > attempts.kafka_offset
    )
