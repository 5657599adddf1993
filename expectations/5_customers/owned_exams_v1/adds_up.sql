-- adds_up: rows of customers and of nobody add up to exams.
-- Severity: critical
-- Reason: Each count and sum of the whole is the sum of those of all owners.
-- Reads: candidate.exams, candidate.owned_exams
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_exams_v1/adds_up.sql

SELECT
    exam_id,
    SUM(message_count) AS message_difference,
    SUM(attempt_count) AS attempt_difference,
    SUM(scored_attempt_count) AS scored_attempt_difference,
    SUM(perfect_attempt_count) AS perfect_attempt_difference,
    SUM(question_count) AS question_difference,
    SUM(correct_count) AS correct_difference,
    SUM(incorrect_count) AS incorrect_difference,
    SUM(incomplete_count) AS incomplete_difference,
    SUM(unanswered_count) AS unanswered_difference,
    SUM(score_sum) AS score_difference
FROM (
    SELECT
        exam_id,
        message_count,
        attempt_count,
        scored_attempt_count,
        perfect_attempt_count,
        COALESCE(question_count, 0) AS question_count, -- NULL where no attempt has counts
        COALESCE(correct_count, 0) AS correct_count,
        COALESCE(incorrect_count, 0) AS incorrect_count,
        COALESCE(incomplete_count, 0) AS incomplete_count,
        COALESCE(unanswered_count, 0) AS unanswered_count,
        COALESCE(score_sum, 0) AS score_sum
    FROM candidate.owned_exams
    UNION ALL
    SELECT
        exam_id,
        -message_count AS message_count,
        -attempt_count AS attempt_count,
        -scored_attempt_count AS scored_attempt_count,
        -perfect_attempt_count AS perfect_attempt_count,
        -COALESCE(question_count, 0) AS question_count,
        -COALESCE(correct_count, 0) AS correct_count,
        -COALESCE(incorrect_count, 0) AS incorrect_count,
        -COALESCE(incomplete_count, 0) AS incomplete_count,
        -COALESCE(unanswered_count, 0) AS unanswered_count,
        -COALESCE(score_sum, 0) AS score_sum
    FROM candidate.exams
) AS compared
GROUP BY exam_id
HAVING
    SUM(message_count) <> 0
    OR SUM(attempt_count) <> 0
    OR SUM(scored_attempt_count) <> 0
    OR SUM(perfect_attempt_count) <> 0
    OR SUM(question_count) <> 0
    OR SUM(correct_count) <> 0
    OR SUM(incorrect_count) <> 0
    OR SUM(incomplete_count) <> 0
    OR SUM(unanswered_count) <> 0
    -- The last places of a sum of doubles depend on its order.
    OR ABS(SUM(score_sum)) > 0.00001 + 0.0000000001 * SUM(ABS(score_sum));
