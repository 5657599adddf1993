{{ config(materialized='incremental', incremental_strategy='append') }}

WITH messages AS (
    SELECT * FROM {{ source('raw', 'assessments') }}
    {{ new_landings() }}
)

SELECT
    messages.payload.user_exam_id AS attempt_id,
    messages.payload.base_exam_id AS exam_id,
    shown.position + 1 AS question_position,
    offered.position + 1 AS option_position,
    offered.choice.id AS option_id,
    offered.choice.checked AS is_checked,
    CASE WHEN offered.choice IS NOT NULL THEN COALESCE(offered.choice.correct, FALSE) END AS is_correct,
    CASE WHEN offered.choice IS NOT NULL THEN COALESCE(offered.choice.submitted = 1, FALSE) END AS is_submitted,
    {{ instant('offered.choice.`at`') }} AS clicked_at,
    messages.kafka_partition,
    messages.kafka_offset,
    messages.landing
FROM messages
LATERAL VIEW POSEXPLODE(messages.payload.sequences.questions) shown AS position, question
LATERAL VIEW POSEXPLODE(shown.question.options) offered AS position, choice
