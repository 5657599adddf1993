-- reports.all_wrong: at which exams are all answers wrong?
-- Position: 95
-- Reads: flat.messages, flat.attempts
-- Grain: exam_name, the 10 with most such attempts
-- Parameters: none
-- Answer: Most often at {exam_name}: every answer is wrong in {all_wrong_attempts} of {attempts}
--     attempts, or {all_wrong_messages} messages. {none_correct_attempts} have no correct answer.
-- Assumes: A partly correct answer is not wrong, and neither is an unanswered question: attempts
--     with these count only as attempts without a correct answer. Attempts without counts are left
--     out. Exams of any size are listed.
-- Empty: No attempt has every answer wrong.
-- Chart: bar x=all_wrong_attempts y=exam_name
-- Usage: ./warehouse query -f sql/4_reports/all_wrong.sql

WITH exams AS (
    SELECT
        exam_name,
        COUNT(*) AS attempts,
        COUNT(CASE WHEN incorrect_count = question_count THEN 1 END) AS all_wrong_attempts,
        COUNT(CASE WHEN correct_count = 0 THEN 1 END) AS none_correct_attempts
    FROM flat.attempts
    WHERE question_count > 0
    GROUP BY exam_name
),

messages AS (
    SELECT
        exam_name,
        COUNT(*) AS all_wrong_messages
    FROM flat.messages
    WHERE question_count > 0 AND incorrect_count = question_count
    GROUP BY exam_name
)

SELECT
    exams.exam_name,
    exams.attempts,
    exams.all_wrong_attempts,
    messages.all_wrong_messages,
    exams.none_correct_attempts
FROM exams
INNER JOIN messages ON exams.exam_name = messages.exam_name
WHERE exams.all_wrong_attempts > 0
ORDER BY exams.all_wrong_attempts DESC, exams.exam_name ASC
LIMIT 10;
