-- adds_up: each exam adds up to its attempts.
-- Severity: critical
-- Reason: Every attempt counts in exactly one row, with its questions and its correct
--     answers.
-- Reads: candidate.attempts, candidate.exams
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/exams_v1/adds_up.sql

SELECT
    exam_id,
    SUM(exam_rows) AS exam_rows,
    SUM(attempts) AS attempt_difference,
    SUM(scored) AS scored_difference,
    SUM(perfect) AS perfect_difference,
    SUM(questions) AS question_difference,
    SUM(correct) AS correct_difference,
    SUM(scores) AS score_difference
FROM (
    SELECT
        exam_id,
        1 AS exam_rows,
        attempt_count AS attempts,
        scored_attempt_count AS scored,
        perfect_attempt_count AS perfect,
        COALESCE(question_count, 0) AS questions, -- NULL where no attempt has counts
        COALESCE(correct_count, 0) AS correct,
        COALESCE(score_sum, 0) AS scores
    FROM candidate.exams
    UNION ALL
    SELECT
        exam_id,
        0 AS exam_rows,
        -1 AS attempts,
        CASE WHEN score IS NOT NULL THEN -1 ELSE 0 END AS scored,
        CASE WHEN is_all_correct AND score IS NOT NULL THEN -1 ELSE 0 END AS perfect,
        -COALESCE(question_count, 0) AS questions,
        -COALESCE(correct_count, 0) AS correct,
        -COALESCE(score, 0) AS scores
    FROM candidate.attempts
) AS compared
GROUP BY exam_id
HAVING
    SUM(exam_rows) <> 1
    OR SUM(attempts) <> 0
    OR SUM(scored) <> 0
    OR SUM(perfect) <> 0
    OR SUM(questions) <> 0
    OR SUM(correct) <> 0
    -- The last places of a sum of doubles depend on its order.
    OR ABS(SUM(scores)) > 0.00001 + 0.0000000001 * SUM(ABS(scores));
