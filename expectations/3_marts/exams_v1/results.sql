-- results: results add up to the questions.
-- Severity: warning
-- Reason: Counts of the four results are NULL only together with the question count, which is
--     NULL only for the test exam.
-- Reads: candidate.exams
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/exams_v1/results.sql

SELECT
    exam_id,
    question_count,
    correct_count,
    incorrect_count,
    incomplete_count,
    unanswered_count
FROM candidate.exams
WHERE
    (question_count IS NULL) <> (incorrect_count IS NULL)
    OR (question_count IS NULL) <> (incomplete_count IS NULL)
    OR (question_count IS NULL) <> (unanswered_count IS NULL)
    OR question_count <> correct_count + incorrect_count + incomplete_count + unanswered_count;
