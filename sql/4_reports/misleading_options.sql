-- reports.misleading_options: which wrong options mislead most?
-- Position: 110
-- Reads: flat.question_options, flat.attempt_questions, marts.questions
-- Grain: option_id, the 10 wrong options checked most
-- Parameters: none
-- Answer: The most misleading option belongs to {exam_name}: it was checked in {checked_percent} of
--     the {shown} attempts that showed it, and it is wrong.
-- Assumes: Options shown in fewer than 30 attempts or without an id are left out. An option counts
--     as wrong where no message says that it is correct. It counts as checked where it was checked
--     in the end.
-- Empty: No wrong option was shown in 30 attempts yet.
-- Chart: bar x=checked_percent y=option_id color=exam_name
-- Usage: ./warehouse query -f sql/4_reports/misleading_options.sql

WITH options AS (
    SELECT
        attempt_questions.question_id,
        question_options.option_id,
        COUNT(*) AS shown,
        SUM(CASE WHEN question_options.is_checked THEN 1 ELSE 0 END) AS checked_count
    FROM flat.question_options
    INNER JOIN flat.attempt_questions
        ON
            question_options.attempt_id = attempt_questions.attempt_id
            AND question_options.question_position = attempt_questions.question_position
    WHERE question_options.option_id IS NOT NULL
    GROUP BY attempt_questions.question_id, question_options.option_id
    HAVING COUNT(*) >= 30 AND MAX(CASE WHEN question_options.is_correct THEN 1 ELSE 0 END) = 0
),

exams AS (
    SELECT
        question_id,
        MAX(exam_name) AS exam_name
    FROM marts.questions
    GROUP BY question_id
)

SELECT
    exams.exam_name,
    options.question_id,
    options.option_id,
    options.shown,
    options.checked_count,
    ROUND(100 * options.checked_count / options.shown, 1) AS checked_percent
FROM options
INNER JOIN exams ON options.question_id = exams.question_id
ORDER BY
    options.checked_count / options.shown DESC,
    exams.exam_name ASC,
    options.option_id ASC,
    options.question_id ASC
LIMIT 10;
