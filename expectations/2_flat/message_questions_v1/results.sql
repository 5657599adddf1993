-- results: results of the questions add up to the counts of their attempt.
-- Severity: warning
-- Reason: The message counts its results itself. In every message seen so far the counts
--     agree with the questions.
-- Reads: candidate.attempt_questions, candidate.attempts
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/message_questions_v1/results.sql
--     --hivevar since=0

WITH questions AS (
    SELECT
        kafka_partition,
        kafka_offset,
        COUNT(*) AS question_rows,
        COUNT(CASE WHEN result = 'correct' THEN 1 END) AS correct_rows,
        COUNT(CASE WHEN result = 'incorrect' THEN 1 END) AS incorrect_rows,
        COUNT(CASE WHEN result = 'missed_some' THEN 1 END) AS incomplete_rows,
        COUNT(CASE WHEN result = 'unanswered' THEN 1 END) AS unanswered_rows
    FROM candidate.attempt_questions
    WHERE landing > ${since} AND last_landing > ${since}
    GROUP BY kafka_partition, kafka_offset
)

SELECT
    attempts.attempt_id,
    attempts.question_count,
    questions.question_rows,
    attempts.correct_count,
    questions.correct_rows,
    attempts.incorrect_count,
    questions.incorrect_rows,
    attempts.incomplete_count,
    questions.incomplete_rows,
    attempts.unanswered_count,
    questions.unanswered_rows
FROM candidate.attempts AS attempts
LEFT JOIN questions
    ON
        attempts.kafka_partition = questions.kafka_partition
        AND attempts.kafka_offset = questions.kafka_offset
WHERE
    attempts.landing > ${since}
    AND (
        attempts.question_count <> COALESCE(questions.question_rows, 0) -- none has no row
        OR attempts.correct_count <> COALESCE(questions.correct_rows, 0)
        OR attempts.incorrect_count <> COALESCE(questions.incorrect_rows, 0)
        OR attempts.incomplete_count <> COALESCE(questions.incomplete_rows, 0)
        OR attempts.unanswered_count <> COALESCE(questions.unanswered_rows, 0)
    );
