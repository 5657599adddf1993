-- The results of the questions add up to the counts of their attempt.
{{ config(severity='warn') }}
SELECT attempts.attempt_id
FROM {{ ref('attempts') }} AS attempts
LEFT JOIN (
    SELECT
        attempt_id,
        COUNT(*) AS question_count,
        COUNT(CASE WHEN result = 'correct' THEN 1 END) AS correct_count,
        COUNT(CASE WHEN result = 'incorrect' THEN 1 END) AS incorrect_count,
        COUNT(CASE WHEN result = 'unanswered' THEN 1 END) AS unanswered_count
    FROM {{ ref('attempt_questions') }}
    GROUP BY attempt_id
) AS questions ON attempts.attempt_id = questions.attempt_id
WHERE
    attempts.question_count <> COALESCE(questions.question_count, 0)
    OR attempts.correct_count <> COALESCE(questions.correct_count, 0)
    OR attempts.incorrect_count <> COALESCE(questions.incorrect_count, 0)
    OR attempts.unanswered_count <> COALESCE(questions.unanswered_count, 0)
