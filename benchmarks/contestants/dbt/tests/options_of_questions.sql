-- Each question has as many options as it counts, at positions from 1 without a gap.
SELECT questions.attempt_id
FROM {{ ref('attempt_questions') }} AS questions
FULL JOIN (
    SELECT
        attempt_id,
        question_position,
        COUNT(*) AS row_count,
        SUM(option_position) AS position_sum
    FROM {{ ref('question_options') }}
    GROUP BY attempt_id, question_position
) AS offered
    ON questions.attempt_id = offered.attempt_id AND questions.question_position = offered.question_position
WHERE
    questions.attempt_id IS NULL
    OR COALESCE(questions.option_count, 0) <> COALESCE(offered.row_count, 0)
    OR offered.position_sum * 2 <> offered.row_count * (offered.row_count + 1)
