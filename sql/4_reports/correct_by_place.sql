-- reports.correct_by_place: does the place of a question matter?
-- Position: 118
-- Reads: marts.exams, flat.messages, flat.attempt_questions
-- Grain: question_position, from the first to the last
-- Parameters: none
-- Answer: At {exam_name}, the exam taken most, {correct_percent} of {attempts} attempts answer
--     the first question correctly. The places differ by {difference} percentage points.
-- Hides: exam_name, difference
-- Assumes: Questions are shown in another order each time, so a difference between places is not
--     one between questions. Places shown in fewer than 30 attempts are left out.
-- Empty: No place of the exam taken most was shown in 30 attempts yet.
-- Chart: column x=question_position y=correct_percent
-- Dashboard: 6
-- Usage: ./warehouse query -f sql/4_reports/correct_by_place.sql

WITH most_taken AS (
    SELECT exam_name
    FROM marts.exams
    GROUP BY exam_name
    ORDER BY SUM(attempt_count) DESC, exam_name ASC
    LIMIT 1
),

places AS (
    SELECT
        exams.exam_name,
        questions.question_position,
        COUNT(DISTINCT messages.attempt_id) AS attempts,
        COUNT(DISTINCT CASE WHEN questions.result = 'correct' THEN messages.attempt_id END)
            AS correct_attempts,
        COUNT(CASE WHEN questions.result = 'correct' THEN 1 END) AS correct_messages
    FROM flat.attempt_questions AS questions
    INNER JOIN marts.exams ON questions.exam_id = exams.exam_id
    INNER JOIN most_taken ON exams.exam_name = most_taken.exam_name
    INNER JOIN flat.messages ON questions.attempt_id = messages.attempt_id
    GROUP BY exams.exam_name, questions.question_position
    HAVING COUNT(DISTINCT messages.attempt_id) >= 30
)

SELECT
    exam_name,
    question_position,
    attempts,
    correct_attempts,
    correct_messages,
    ROUND(100 * correct_attempts / attempts, 1) AS correct_percent,
    ROUND(
        100 * (
            MAX(correct_attempts / attempts) OVER () - MIN(correct_attempts / attempts) OVER ()
        ), 1
    ) AS difference
FROM places
ORDER BY question_position;
