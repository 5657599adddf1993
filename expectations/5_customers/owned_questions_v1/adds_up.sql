-- adds_up: rows of customers and of nobody add up to questions.
-- Severity: critical
-- Reason: Each count of the whole is the sum of the counts of all owners.
-- Reads: candidate.questions, candidate.owned_questions
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_questions_v1/adds_up.sql

SELECT
    exam_id,
    question_id,
    SUM(shown_count) AS shown_difference,
    SUM(correct_count) AS correct_difference,
    SUM(incorrect_count) AS incorrect_difference,
    SUM(incomplete_count) AS incomplete_difference,
    SUM(unanswered_count) AS unanswered_difference
FROM (
    SELECT
        exam_id,
        question_id,
        shown_count,
        correct_count,
        incorrect_count,
        incomplete_count,
        unanswered_count
    FROM candidate.owned_questions
    UNION ALL
    SELECT
        exam_id,
        question_id,
        -shown_count AS shown_count,
        -correct_count AS correct_count,
        -incorrect_count AS incorrect_count,
        -incomplete_count AS incomplete_count,
        -unanswered_count AS unanswered_count
    FROM candidate.questions
) AS compared
GROUP BY exam_id, question_id
HAVING
    SUM(shown_count) <> 0
    OR SUM(correct_count) <> 0
    OR SUM(incorrect_count) <> 0
    OR SUM(incomplete_count) <> 0
    OR SUM(unanswered_count) <> 0;
