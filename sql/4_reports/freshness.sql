-- reports.freshness: how fresh is the data?
-- Position: 25
-- Reads: flat.attempts, raw.landings, ops.releases, ops.expectation_results
-- Grain: one row
-- Parameters: none
-- Answer: The newest message was published at {newest_message_at}. The newest landing is of
--     {newest_landing_at}. What readers see was built by {build_at} and validated at
--     {validation_at}.
-- Assumes: The newest attempt and the newest message are those in the tables that readers see. A
--     build counts from when readers saw it, a validation only if it looked at that build.
-- Front: newest_attempt_at, newest_message_at, newest_landing_at, build_at, validation_at
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/freshness.sql

WITH attempts AS (
    SELECT
        MAX(started_at) AS newest_attempt_at,
        MAX(kafka_published_at) AS newest_message_at
    FROM flat.attempts
),

landed AS (
    SELECT MAX(landed_at) AS landed_at
    FROM raw.landings
),

seen AS (
    SELECT
        build_id,
        decided_at,
        ROW_NUMBER() OVER (ORDER BY release DESC) AS place
    FROM ops.releases
    WHERE action <> 'refused'
),

validated AS (
    SELECT
        build_id,
        MAX(validated_at) AS validated_at
    FROM ops.expectation_results
    GROUP BY build_id
)

SELECT
    attempts.newest_attempt_at,
    attempts.newest_message_at,
    -- These times are ISO-8601 in UTC as text.
    CAST(REGEXP_REPLACE(landed.landed_at, '[TZ]', ' ') AS TIMESTAMP) AS newest_landing_at,
    CAST(REGEXP_REPLACE(seen.decided_at, '[TZ]', ' ') AS TIMESTAMP) AS build_at,
    CAST(REGEXP_REPLACE(validated.validated_at, '[TZ]', ' ') AS TIMESTAMP) AS validation_at
FROM attempts
CROSS JOIN landed
LEFT JOIN seen ON seen.place = 1
LEFT JOIN validated ON seen.build_id = validated.build_id;
