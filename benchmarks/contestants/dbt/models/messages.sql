{{ config(materialized='incremental', incremental_strategy='append') }}

WITH messages AS (
    SELECT
        *,
        {{ instant('payload.started_at') }} AS started_at
    FROM {{ source('raw', 'assessments') }}
    {{ new_landings() }}
)

SELECT
    kafka_topic,
    kafka_partition,
    kafka_offset,
    CASE WHEN kafka_timestamp BETWEEN 0 AND 253402300799999 THEN TIMESTAMP_MILLIS(kafka_timestamp) END
        AS kafka_published_at,
    landing,
    payload.user_exam_id AS attempt_id,
    payload.keen_id AS event_id,
    payload.base_exam_id AS exam_id,
    payload.exam_name,
    started_at,
    CAST(started_at AS DATE) AS started_date,
    CAST(CONCAT(
        FROM_UNIXTIME(CAST(REGEXP_EXTRACT(payload.keen_timestamp, '^([0-9]{1,10})([.][0-9]+)?\\z', 1) AS BIGINT)),
        REGEXP_EXTRACT(payload.keen_timestamp, '^[0-9]*(([.][0-9]{1,6})?)', 1)
    ) AS TIMESTAMP) AS received_at,
    CASE payload.certification WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END AS certification,
    CAST(REGEXP_EXTRACT(payload.max_attempts, '^([0-9]+)([.]0*)?\\z', 1) AS INT) AS max_attempts,
    payload.sequences.id AS question_set_id,
    payload.sequences.counts.total AS question_count,
    payload.sequences.counts.correct AS correct_count,
    payload.sequences.counts.incorrect AS incorrect_count,
    payload.sequences.counts.incomplete AS incomplete_count,
    payload.sequences.counts.submitted AS submitted_count,
    payload.sequences.counts.unanswered AS unanswered_count,
    payload.sequences.counts.all_correct AS is_all_correct,
    payload.sequences.counts.correct / NULLIF(GREATEST(payload.sequences.counts.total, 0), 0) AS score,
    CASE WHEN unknown_fields IS NOT NULL THEN CONCAT_WS('\n', unknown_fields.path) END AS unknown_fields,
    CONCAT_WS(
        ', ',
        CASE WHEN payload.keen_timestamp IS NULL THEN 'no keen_timestamp' END,
        CASE WHEN payload.max_attempts IS NULL THEN 'no max_attempts' END,
        CASE WHEN payload.started_at IS NULL THEN 'no started_at' END,
        CASE WHEN payload.sequences.questions IS NULL THEN 'no questions' END,
        CASE WHEN payload.certification <> 'false' THEN 'new certification' END,
        CASE WHEN payload.max_attempts <> '1.0' THEN 'new max_attempts' END,
        CASE WHEN payload.sequences.attempt <> 1 THEN 'new attempt number' END,
        CASE WHEN payload.keen_created_at <> payload.keen_timestamp THEN 'two arrivals' END
    ) AS oddities
FROM messages
