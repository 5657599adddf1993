{{ config(materialized='incremental', incremental_strategy='append') }}

WITH messages AS (
    SELECT * FROM {{ source('raw', 'assessments') }}
    {{ new_landings() }}
)

SELECT
    messages.payload.user_exam_id AS attempt_id,
    messages.payload.base_exam_id AS exam_id,
    shown.position + 1 AS question_position,
    shown.question.id AS question_id,
    shown.question.user_result AS result,
    shown.question.user_correct AS is_correct,
    shown.question.user_incomplete AS is_incomplete,
    shown.question.user_submitted AS is_submitted,
    CASE WHEN shown.question.options IS NOT NULL THEN SIZE(shown.question.options) END AS option_count,
    messages.kafka_partition,
    messages.kafka_offset,
    messages.landing
FROM messages
LATERAL VIEW POSEXPLODE(messages.payload.sequences.questions) shown AS position, question
