-- reports.freshness: how fresh is the data?
-- Position: 25
-- Reads: flat.messages, raw.landings, ops.published, ops.releases, ops.expectation_results
-- Grain: one row
-- Parameters: none
-- Answer: The newest message was published at {newest_message_at}. The newest landing is from
--     {newest_landing_at}. Readers see release {release}, which was published at {published_at} and
--     validated at {validated_at}.
-- Assumes: The newest attempt and the newest message are those in the tables that readers see. A
--     start later than its arrival is a wrong clock and does not count. A release counts from its
--     publication, also after a rollback to it. A validation counts only where it checked that
--     release.
-- Front: newest_attempt_at, newest_message_at, newest_landing_at, published_at, validated_at
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/freshness.sql

WITH messages AS (
    SELECT
        MAX(CASE WHEN started_at <= received_at THEN started_at END) AS newest_attempt_at,
        MAX(kafka_published_at) AS newest_message_at
    FROM flat.messages
),

newest_landing AS (
    SELECT MAX(landed_at) AS landed_at
    FROM raw.landings
),

publications AS (
    SELECT
        release,
        MIN(decided_at) AS decided_at
    FROM ops.releases
    WHERE action = 'published'
    GROUP BY release
),

validations AS (
    SELECT
        release,
        MAX(validated_at) AS validated_at
    FROM ops.expectation_results
    GROUP BY release
)

SELECT
    published.release,
    messages.newest_attempt_at,
    messages.newest_message_at,
    -- These times are ISO-8601 in UTC as text.
    CAST(REGEXP_REPLACE(newest_landing.landed_at, '[TZ]', ' ') AS TIMESTAMP) AS newest_landing_at,
    CAST(REGEXP_REPLACE(publications.decided_at, '[TZ]', ' ') AS TIMESTAMP) AS published_at,
    CAST(REGEXP_REPLACE(validations.validated_at, '[TZ]', ' ') AS TIMESTAMP) AS validated_at
FROM ops.published
CROSS JOIN messages
CROSS JOIN newest_landing
LEFT JOIN publications ON published.release = publications.release
LEFT JOIN validations ON published.release = validations.release;
