-- of_attempts: rows belong to an attempt of their customer.
-- Severity: critical
-- Reason: The pseudonym leads from every table of a customer to its attempts.
-- Reads: candidate.owned_attempt_questions, candidate.owned_attempts
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/owned_attempt_questions_v1/of_attempts.sql

SELECT
    parts.customer,
    parts.attempt_id,
    COUNT(*) AS row_count
FROM candidate.owned_attempt_questions AS parts
LEFT JOIN candidate.owned_attempts AS attempts
    ON parts.customer = attempts.customer AND parts.attempt_id = attempts.attempt_id
WHERE attempts.attempt_id IS NULL
GROUP BY parts.customer, parts.attempt_id;
