-- An event reports one attempt.
{{ config(severity='warn') }}
SELECT event_id
FROM {{ ref('messages') }}
GROUP BY event_id
HAVING COUNT(DISTINCT attempt_id) > 1
