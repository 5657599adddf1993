-- reports.questions_per_exam: how many questions does an exam have?
-- Position: 75
-- Reads: flat.messages, flat.attempt_questions
-- Grain: questions, the number of questions shown, the most frequent first
-- Parameters: none
-- Answer: Most often {questions}: {attempts} attempts, {messages} messages. The mean over all exam
--     ids is {mean_questions}.
-- Hides: mean_questions
-- Assumes: The questions in the message are counted, also where it has no counts. The mean gives
--     every exam id the same weight, however often it was taken.
-- Chart: column x=questions y=attempts
-- Usage: ./warehouse query -f sql/4_reports/questions_per_exam.sql

WITH attempts_shown AS (
    SELECT
        exam_id,
        attempt_id,
        COUNT(*) AS questions
    FROM flat.attempt_questions
    GROUP BY exam_id, attempt_id
),

exams AS (
    SELECT
        attempts_shown.exam_id,
        attempts_shown.questions,
        COUNT(DISTINCT attempts_shown.attempt_id) AS attempts,
        COUNT(*) AS messages
    FROM attempts_shown
    INNER JOIN flat.messages ON attempts_shown.attempt_id = messages.attempt_id
    GROUP BY attempts_shown.exam_id, attempts_shown.questions
),

means AS (
    SELECT ROUND(AVG(mean_questions), 2) AS mean_questions
    FROM (
        SELECT SUM(questions * attempts) / SUM(attempts) AS mean_questions
        FROM exams
        GROUP BY exam_id
    ) AS per_exam
)

SELECT
    exams.questions,
    COUNT(*) AS exam_ids,
    SUM(exams.attempts) AS attempts,
    SUM(exams.messages) AS messages,
    MAX(means.mean_questions) AS mean_questions
FROM exams
CROSS JOIN means
GROUP BY exams.questions
ORDER BY attempts DESC, exams.questions ASC;
