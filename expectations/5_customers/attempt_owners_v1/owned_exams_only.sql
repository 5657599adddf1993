-- owned_exams_only: a customer has attempts at exams that it owned then.
-- Severity: critical
-- Reason: No customer sees the attempt of another, and nobody owns what a customer does.
-- Reads: candidate.attempt_owners, candidate.attempts, candidate.exam_periods
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/attempt_owners_v1/owned_exams_only.sql

WITH attempts AS (
    SELECT
        owners.attempt_id,
        owners.customer,
        attempts.exam_id,
        CAST(attempts.started_date AS STRING) AS day_text
    FROM candidate.attempt_owners AS owners
    INNER JOIN candidate.attempts AS attempts ON owners.attempt_id = attempts.attempt_id
),

owners AS (
    SELECT
        attempts.attempt_id,
        attempts.customer,
        periods.customer AS owner_name
    FROM attempts
    INNER JOIN candidate.exam_periods AS periods ON attempts.exam_id = periods.exam_id
    -- A day that is not known is in a period that is open.
    WHERE
        COALESCE(attempts.day_text >= periods.valid_from, periods.valid_from IS NULL)
        AND COALESCE(attempts.day_text < periods.valid_to, periods.valid_to IS NULL)
)

SELECT
    attempts.attempt_id,
    attempts.customer,
    owners.owner_name
FROM attempts
LEFT JOIN owners ON attempts.attempt_id = owners.attempt_id
WHERE attempts.customer <> COALESCE(owners.owner_name, 'nobody');
