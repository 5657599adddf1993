-- Questions belong to the message of their attempt, at positions from 1 without a gap.
SELECT questions.attempt_id
FROM (
    SELECT
        attempt_id,
        kafka_partition,
        kafka_offset,
        COUNT(*) AS row_count,
        MAX(question_position) AS last_position
    FROM {{ ref('attempt_questions') }}
    GROUP BY attempt_id, kafka_partition, kafka_offset
) AS questions
LEFT JOIN {{ ref('attempts') }} AS attempts
    ON
        questions.attempt_id = attempts.attempt_id
        AND questions.kafka_partition = attempts.kafka_partition
        AND questions.kafka_offset = attempts.kafka_offset
WHERE attempts.attempt_id IS NULL OR questions.last_position <> questions.row_count
