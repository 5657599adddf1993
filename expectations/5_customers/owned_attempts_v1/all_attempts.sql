-- all_attempts: attempts of customers and of nobody are all attempts.
-- Severity: critical
-- Reason: No row is lost, added or changed on its way to the customers.
-- Reads: candidate.attempts, candidate.owned_attempts
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_attempts_v1/all_attempts.sql

SELECT
    exam_id,
    exam_name,
    started_at,
    started_date,
    received_at,
    certification,
    max_attempts,
    question_set_id,
    question_count,
    correct_count,
    incorrect_count,
    incomplete_count,
    submitted_count,
    unanswered_count,
    is_all_correct,
    score,
    SUM(row_count) AS surplus
FROM (
    SELECT
        exam_id,
        exam_name,
        started_at,
        started_date,
        received_at,
        certification,
        max_attempts,
        question_set_id,
        question_count,
        correct_count,
        incorrect_count,
        incomplete_count,
        submitted_count,
        unanswered_count,
        is_all_correct,
        score,
        1 AS row_count
    FROM candidate.owned_attempts
    UNION ALL
    SELECT
        exam_id,
        exam_name,
        started_at,
        started_date,
        received_at,
        certification,
        max_attempts,
        question_set_id,
        question_count,
        correct_count,
        incorrect_count,
        incomplete_count,
        submitted_count,
        unanswered_count,
        is_all_correct,
        score,
        -1 AS row_count
    FROM candidate.attempts
) AS compared
GROUP BY
    exam_id,
    exam_name,
    started_at,
    started_date,
    received_at,
    certification,
    max_attempts,
    question_set_id,
    question_count,
    correct_count,
    incorrect_count,
    incomplete_count,
    submitted_count,
    unanswered_count,
    is_all_correct,
    score
HAVING SUM(row_count) <> 0;
