-- reports.hardest_questions: which questions are the hardest?
-- Position: 100
-- Reads: marts.questions
-- Grain: question_id of an exam, the 10 answered correctly least
-- Parameters: none
-- Answer: The hardest question belongs to {exam_name}: {correct_percent} of {shown} answers are
--     correct.
-- Assumes: Questions shown in fewer than 30 attempts are left out of the list, and so is a null in
--     place of a question. A question left unanswered counts as not correct. The data has no text
--     of questions, only ids.
-- Empty: No question was shown in 30 attempts yet.
-- Chart: bar x=correct_percent y=question_id color=exam_name
-- Usage: ./warehouse query -f sql/4_reports/hardest_questions.sql

SELECT
    exam_name,
    question_id,
    shown_count AS shown,
    ROUND(100 * correct_share, 1) AS correct_percent,
    ROUND(100 * incorrect_count / shown_count, 1) AS incorrect_percent,
    ROUND(100 * incomplete_count / shown_count, 1) AS incomplete_percent,
    ROUND(100 * unanswered_count / shown_count, 1) AS unanswered_percent
FROM marts.questions
WHERE shown_count >= 30 AND question_id IS NOT NULL
ORDER BY correct_share, exam_name, question_id, exam_id
LIMIT 10;
