-- adds_up: each question adds up to its rows in the attempts.
-- Severity: critical
-- Reason: Every question of every attempt counts in exactly one row, with its result.
-- Reads: candidate.attempt_questions, candidate.questions
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/questions_v1/adds_up.sql

SELECT
    exam_id,
    question_id,
    SUM(question_rows) AS question_rows,
    SUM(questions) AS shown_difference,
    SUM(correct) AS correct_difference,
    SUM(incorrect) AS incorrect_difference,
    SUM(incomplete) AS incomplete_difference,
    SUM(unanswered) AS unanswered_difference
FROM (
    SELECT
        exam_id,
        question_id,
        1 AS question_rows,
        shown_count AS questions,
        correct_count AS correct,
        incorrect_count AS incorrect,
        incomplete_count AS incomplete,
        unanswered_count AS unanswered
    FROM candidate.questions
    UNION ALL
    SELECT
        exam_id,
        question_id,
        0 AS question_rows,
        -1 AS questions,
        CASE WHEN result = 'correct' THEN -1 ELSE 0 END AS correct,
        CASE WHEN result = 'incorrect' THEN -1 ELSE 0 END AS incorrect,
        CASE WHEN result = 'missed_some' THEN -1 ELSE 0 END AS incomplete,
        CASE WHEN result = 'unanswered' THEN -1 ELSE 0 END AS unanswered
    FROM candidate.attempt_questions
) AS compared
GROUP BY exam_id, question_id
HAVING
    SUM(question_rows) <> 1
    OR SUM(questions) <> 0
    OR SUM(correct) <> 0
    OR SUM(incorrect) <> 0
    OR SUM(incomplete) <> 0
    OR SUM(unanswered) <> 0;
