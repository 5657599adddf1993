{# The landings that this incremental model lacks; all of them in a full refresh. Raw folders are partitions. #}
{% macro new_landings() %}
{% if is_incremental() %}
{% set last = run_query('SELECT COALESCE(MAX(landing), 0) FROM ' ~ this).columns[0].values()[0] %}
WHERE last_landing > {{ last }} AND landing > {{ last }}
{% endif %}
{% endmacro %}

{# A text of RFC 3339 as the instant in UTC, NULL if it names none. #}
{% macro instant(text) %}
TO_UTC_TIMESTAMP(
    CAST(REGEXP_REPLACE(REGEXP_EXTRACT({{ text }}, CONCAT(
        '^(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}[Tt ]([01][0-9]|2[0-3])(:[0-5][0-9]){2}',
        '(?=[.Zz+-])([.][0-9]{1,6})?(?=[0-9]*([Zz]|[+-](0[0-9]|1[0-7]):?[0-5][0-9])\\z)'
    ), 0), '[Tt]', ' ') AS TIMESTAMP),
    CONCAT('GMT', REGEXP_EXTRACT({{ text }}, '[+-](0[0-9]|1[0-7]):?[0-5][0-9]\\z', 0))
)
{% endmacro %}

{# The rows of messages that no newer message of their attempt replaced. #}
{% macro newest(model) %}
SELECT rows.*
FROM {{ model }} AS rows
LEFT ANTI JOIN {{ ref('superseded_messages') }} AS superseded
    ON rows.kafka_partition = superseded.kafka_partition AND rows.kafka_offset = superseded.kafka_offset
{% endmacro %}

{# Attempts with the number of their messages, duplicates included. #}
{% macro counted_attempts() %}
SELECT
    attempts.*,
    1 + COALESCE(superseded.message_count, 0) AS message_count
FROM {{ ref('attempts') }} AS attempts
LEFT JOIN (
    SELECT
        attempt_id,
        COUNT(*) AS message_count
    FROM {{ ref('superseded_messages') }}
    GROUP BY attempt_id
) AS superseded ON attempts.attempt_id = superseded.attempt_id
{% endmacro %}
