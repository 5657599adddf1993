-- reports.always_correct_questions: which questions are always answered correctly?
-- Position: 105
-- Reads: marts.questions
-- Grain: exam_id, question_id, the 10 shown most often
-- Parameters: none
-- Answer: {always_correct} of {all_questions} questions, of which {rarely_shown} were shown
--     in fewer than 30 attempts. The one shown most often, in {shown} attempts, belongs to
--     {exam_name}.
-- Empty: None: every question was answered wrongly, partly or not at all at least once.
-- Hides: always_correct, all_questions, rarely_shown
-- Assumes: A question of two exam ids counts twice.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/always_correct_questions.sql

WITH totals AS (
    SELECT
        COUNT(*) AS all_questions,
        COUNT(CASE WHEN correct_count = shown_count THEN 1 END) AS always_correct,
        COUNT(CASE WHEN correct_count = shown_count AND shown_count < 30 THEN 1 END)
            AS rarely_shown
    FROM marts.questions
    WHERE question_id IS NOT NULL
)

SELECT
    questions.exam_name,
    questions.question_id,
    questions.shown_count AS shown,
    totals.always_correct,
    totals.all_questions,
    totals.rarely_shown
FROM marts.questions
CROSS JOIN totals
WHERE questions.question_id IS NOT NULL AND questions.correct_count = questions.shown_count
ORDER BY shown DESC, questions.exam_name ASC, questions.question_id ASC
LIMIT 10;
