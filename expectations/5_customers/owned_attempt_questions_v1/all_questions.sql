-- all_questions: questions of customers and of nobody are all questions.
-- Severity: critical
-- Reason: No row is lost, added or changed on its way to the customers.
-- Reads: candidate.attempt_questions, candidate.owned_attempt_questions
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_attempt_questions_v1/all_questions.sql

SELECT
    exam_id,
    question_position,
    question_id,
    result,
    is_correct,
    is_incomplete,
    is_submitted,
    option_count,
    SUM(row_count) AS surplus
FROM (
    SELECT
        exam_id,
        question_position,
        question_id,
        result,
        is_correct,
        is_incomplete,
        is_submitted,
        option_count,
        1 AS row_count
    FROM candidate.owned_attempt_questions
    UNION ALL
    SELECT
        exam_id,
        question_position,
        question_id,
        result,
        is_correct,
        is_incomplete,
        is_submitted,
        option_count,
        -1 AS row_count
    FROM candidate.attempt_questions
) AS compared
GROUP BY
    exam_id,
    question_position,
    question_id,
    result,
    is_correct,
    is_incomplete,
    is_submitted,
    option_count
HAVING SUM(row_count) <> 0;
