-- of_questions: each question has as many options as it counts, at positions from 1 without a gap.
-- Severity: critical
-- Reason: By option_count of the question of the same message. The sum of the positions and
--     of their squares reveals a position used twice.
-- Reads: candidate.attempt_questions, candidate.question_options
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/message_options_v1/of_questions.sql
--     --hivevar since=0

WITH questions AS (
    SELECT
        *,
        COALESCE(option_count, 0) AS offered_count -- NULL where the message has no options
    FROM candidate.attempt_questions
    WHERE landing > ${since} AND last_landing > ${since}
),

offered AS (
    SELECT
        attempt_id,
        exam_id,
        question_position,
        kafka_partition,
        kafka_offset,
        landing,
        COUNT(*) AS row_count,
        MIN(option_position) AS first_position,
        MAX(option_position) AS last_position,
        SUM(CAST(option_position AS BIGINT)) AS position_sum,
        SUM(CAST(option_position AS BIGINT) * option_position) AS square_sum
    FROM candidate.question_options
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY attempt_id, exam_id, question_position, kafka_partition, kafka_offset, landing
)

SELECT
    questions.attempt_id,
    questions.question_position,
    questions.option_count,
    offered.attempt_id AS offered_attempt_id,
    offered.question_position AS offered_question_position,
    offered.row_count,
    offered.first_position,
    offered.last_position
FROM questions
FULL JOIN offered
    ON
        questions.attempt_id = offered.attempt_id
        AND questions.exam_id = offered.exam_id
        AND questions.question_position = offered.question_position
        AND questions.kafka_partition = offered.kafka_partition
        AND questions.kafka_offset = offered.kafka_offset
        AND questions.landing = offered.landing
WHERE
    questions.attempt_id IS NULL
    OR questions.offered_count <> COALESCE(offered.row_count, 0) -- no options have no row
    OR offered.first_position <> 1
    OR offered.last_position <> offered.row_count
    OR offered.position_sum * 2 <> offered.row_count * (offered.row_count + 1)
    OR offered.square_sum * 6
    <> offered.row_count * (offered.row_count + 1) * (2 * offered.row_count + 1);
