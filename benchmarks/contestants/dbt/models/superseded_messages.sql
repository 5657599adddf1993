{{ config(materialized='table') }}

SELECT
    kafka_partition,
    kafka_offset,
    attempt_id
FROM (
    SELECT
        kafka_partition,
        kafka_offset,
        attempt_id,
        ROW_NUMBER() OVER (
            PARTITION BY attempt_id
            ORDER BY
                COALESCE(kafka_published_at, CAST('1970-01-01' AS TIMESTAMP)) DESC,
                kafka_partition DESC,
                kafka_offset DESC
        ) AS place
    FROM {{ ref('messages') }}
) AS ranked
WHERE place > 1
