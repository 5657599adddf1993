-- reports.unanswered_by_position: where do people give up?
-- Position: 120
-- Reads: flat.attempt_questions
-- Grain: question_position, the most often unanswered first
-- Parameters: none
-- Answer: Most often at place {question_position}: {unanswered_percent} of the {shown} questions
--     shown there are left unanswered.
-- Assumes: Only long exams have high places, so the places differ by exam too, and not only by
--     the patience of people. Places shown in fewer than 30 attempts are left out.
-- Empty: No place was shown in 30 attempts yet.
-- Chart: column x=question_position y=unanswered_percent
-- Usage: ./warehouse query -f sql/4_reports/unanswered_by_position.sql

WITH places AS (
    SELECT
        question_position,
        COUNT(*) AS shown,
        COUNT(CASE WHEN result = 'unanswered' THEN 1 END) AS unanswered
    FROM flat.attempt_questions
    GROUP BY question_position
    HAVING COUNT(*) >= 30
)

SELECT
    question_position,
    shown,
    unanswered,
    ROUND(100 * unanswered / shown, 1) AS unanswered_percent
FROM places
ORDER BY unanswered / shown DESC, question_position ASC
LIMIT 30;
