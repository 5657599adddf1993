-- pseudonyms: no two attempts have one pseudonym.
-- Severity: critical
-- Reason: Rows of two attempts could not be distinguished.
-- Reads: candidate.attempt_owners
-- Parameters: none
-- Usage: ./warehouse beeline
--     -f expectations/5_customers/attempt_owners_v1/pseudonyms.sql

SELECT
    pseudonym,
    COUNT(*) AS attempts
FROM candidate.attempt_owners
GROUP BY pseudonym
HAVING COUNT(*) <> 1 OR MIN(LENGTH(pseudonym)) <> 64;
