{{ config(materialized='table') }}

WITH exams AS (
    SELECT
        exam_id,
        MAX(exam_name) AS exam_name
    FROM {{ ref('attempts') }}
    GROUP BY exam_id
),

questions AS (
    SELECT
        exam_id,
        question_id,
        COUNT(*) AS shown_count,
        COUNT(CASE WHEN result = 'correct' THEN 1 END) AS correct_count,
        COUNT(CASE WHEN result = 'incorrect' THEN 1 END) AS incorrect_count,
        COUNT(CASE WHEN result = 'missed_some' THEN 1 END) AS incomplete_count,
        COUNT(CASE WHEN result = 'unanswered' THEN 1 END) AS unanswered_count
    FROM {{ ref('attempt_questions') }}
    GROUP BY exam_id, question_id
)

SELECT
    questions.exam_id,
    exams.exam_name,
    questions.question_id,
    questions.shown_count,
    questions.correct_count,
    questions.incorrect_count,
    questions.incomplete_count,
    questions.unanswered_count,
    questions.correct_count / questions.shown_count AS correct_share,
    RANK() OVER (
        PARTITION BY questions.exam_id ORDER BY questions.correct_count / questions.shown_count
    ) AS difficulty_rank
FROM questions
INNER JOIN exams ON questions.exam_id = exams.exam_id
