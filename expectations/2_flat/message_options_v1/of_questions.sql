-- of_questions: questions have as many options as they count, at positions from 1 without a gap.
-- Severity: critical
-- Reason: By option_count of each question. A lost, doubled or moved option changes the number of
--     options of its message, or a sum over their positions; one that names another attempt or exam
--     changes the sum of the hashes. Each question of N options at positions from 1 to N adds
--     N * (N + 1) / 2 to the sum of the positions and N * (N + 1) * (2 * N + 1) / 6 to that of
--     their squares.
-- Reads: candidate.attempt_questions, candidate.question_options
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/message_options_v1/of_questions.sql
--     --hivevar since=0

WITH questions AS (
    SELECT
        kafka_partition,
        kafka_offset,
        CAST(question_position AS BIGINT) AS place,
        CAST(COALESCE(option_count, 0) AS BIGINT) AS offered, -- NULL where there are none
        CAST(HASH(attempt_id, exam_id, landing) AS BIGINT) AS message_hash
    FROM candidate.attempt_questions
    WHERE landing > ${since} AND last_landing > ${since}
),

compared AS (
    SELECT
        kafka_partition,
        kafka_offset,
        offered AS counted_options,
        0 AS option_rows,
        offered * message_hash AS hashes,
        offered * place AS questions,
        offered * (offered + 1) * place AS places,
        offered * (offered + 1) * (2 * offered + 1) AS squares
    FROM questions
    UNION ALL
    SELECT
        kafka_partition,
        kafka_offset,
        0 AS counted_options,
        1 AS option_rows,
        -CAST(HASH(attempt_id, exam_id, landing) AS BIGINT) AS hashes,
        -CAST(question_position AS BIGINT) AS questions,
        -2 * CAST(option_position AS BIGINT) * question_position AS places,
        -6 * CAST(option_position AS BIGINT) * option_position AS squares
    FROM candidate.question_options
    WHERE landing > ${since} AND last_landing > ${since}
)

SELECT
    kafka_partition,
    kafka_offset,
    SUM(counted_options) AS counted_options,
    SUM(option_rows) AS option_rows
FROM compared
GROUP BY kafka_partition, kafka_offset
HAVING
    SUM(counted_options) <> SUM(option_rows)
    OR SUM(hashes) <> 0
    OR SUM(questions) <> 0
    OR SUM(places) <> 0
    OR SUM(squares) <> 0;
