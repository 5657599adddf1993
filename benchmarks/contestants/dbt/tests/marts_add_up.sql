-- Exams, hours and questions add up to all messages, attempts and questions shown.
WITH counted AS (
    SELECT
        (SELECT COUNT(*) FROM {{ ref('messages') }}) AS messages,
        (SELECT SUM(message_count) FROM {{ ref('exams') }}) AS exam_messages,
        (SELECT SUM(message_count) FROM {{ ref('daily_activity') }}) AS hour_messages,
        (SELECT COUNT(*) FROM {{ ref('attempts') }}) AS attempts,
        (SELECT SUM(attempt_count) FROM {{ ref('exams') }}) AS exam_attempts,
        (SELECT COUNT(*) FROM {{ ref('attempt_questions') }}) AS questions,
        (SELECT SUM(shown_count) FROM {{ ref('questions') }}) AS shown_questions
)

SELECT * FROM counted
WHERE
    messages <> exam_messages
    OR messages <> hour_messages
    OR attempts <> exam_attempts
    OR questions <> shown_questions
