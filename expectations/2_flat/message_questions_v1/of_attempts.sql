-- of_attempts: questions belong to the message of their attempt, at positions from 1 without a gap.
-- Severity: critical
-- Reason: A question of another message would count in the wrong attempt. A gap is a lost
--     question, a position used twice is a doubled one: it shows in the sum of the positions or in
--     that of their squares.
-- Reads: candidate.attempt_questions, candidate.attempts
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/message_questions_v1/of_attempts.sql
--     --hivevar since=0

WITH questions AS (
    SELECT
        attempt_id,
        exam_id,
        kafka_partition,
        kafka_offset,
        landing,
        COUNT(*) AS row_count,
        MIN(question_position) AS first_position,
        MAX(question_position) AS last_position,
        SUM(CAST(question_position AS BIGINT)) AS position_sum,
        SUM(CAST(question_position AS BIGINT) * question_position) AS square_sum
    FROM candidate.attempt_questions
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY attempt_id, exam_id, kafka_partition, kafka_offset, landing
)

SELECT
    questions.attempt_id,
    questions.kafka_partition,
    questions.kafka_offset,
    attempts.kafka_partition AS attempt_partition,
    attempts.kafka_offset AS attempt_offset,
    questions.row_count,
    questions.first_position,
    questions.last_position
FROM questions
LEFT JOIN candidate.attempts AS attempts
    ON
        questions.attempt_id = attempts.attempt_id
        AND questions.exam_id = attempts.exam_id
        AND questions.kafka_partition = attempts.kafka_partition
        AND questions.kafka_offset = attempts.kafka_offset
        AND questions.landing = attempts.landing
WHERE
    attempts.attempt_id IS NULL
    OR questions.first_position <> 1
    OR questions.last_position <> questions.row_count
    OR questions.position_sum * 2 <> questions.row_count * (questions.row_count + 1)
    OR questions.square_sum * 6
    <> questions.row_count * (questions.row_count + 1) * (2 * questions.row_count + 1);
