-- counts_add_up: counts are present and add up.
-- Severity: warning
-- Reason: Counts are NULL only in the test exam example-id, 5 of the 3,280 published
--     messages. Elsewhere the questions are the correct, incorrect, incomplete and unanswered
--     ones, and all but the unanswered are submitted.
-- Reads: candidate.attempts
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/attempts_v1/counts_add_up.sql --hivevar
--     since=0

SELECT
    attempt_id,
    exam_id,
    question_count,
    correct_count,
    incorrect_count,
    incomplete_count,
    submitted_count,
    unanswered_count,
    is_all_correct
FROM candidate.attempts
WHERE
    landing > ${since}
    AND (
        (
            exam_id <> 'example-id'
            AND (
                question_count IS NULL
                OR correct_count IS NULL
                OR incorrect_count IS NULL
                OR incomplete_count IS NULL
                OR submitted_count IS NULL
                OR unanswered_count IS NULL
                OR is_all_correct IS NULL
            )
        )
        OR question_count
        <> correct_count + incorrect_count + incomplete_count + unanswered_count
        OR submitted_count <> question_count - unanswered_count
        OR is_all_correct <> (correct_count = question_count)
    );
