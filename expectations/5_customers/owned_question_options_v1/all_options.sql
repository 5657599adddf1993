-- all_options: options of customers and of nobody are all options.
-- Severity: critical
-- Reason: No row is lost, added or changed on its way to the customers.
-- Reads: candidate.question_options, candidate.owned_question_options
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_question_options_v1/all_options.sql

SELECT
    exam_id,
    question_position,
    option_position,
    option_id,
    is_checked,
    is_correct,
    is_submitted,
    clicked_at,
    SUM(row_count) AS surplus
FROM (
    SELECT
        exam_id,
        question_position,
        option_position,
        option_id,
        is_checked,
        is_correct,
        is_submitted,
        clicked_at,
        1 AS row_count
    FROM candidate.owned_question_options
    UNION ALL
    SELECT
        exam_id,
        question_position,
        option_position,
        option_id,
        is_checked,
        is_correct,
        is_submitted,
        clicked_at,
        -1 AS row_count
    FROM candidate.question_options
) AS compared
GROUP BY
    exam_id,
    question_position,
    option_position,
    option_id,
    is_checked,
    is_correct,
    is_submitted,
    clicked_at
HAVING SUM(row_count) <> 0;
