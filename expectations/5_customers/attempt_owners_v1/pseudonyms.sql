-- pseudonyms: each attempt has a pseudonym of its own, of 64 digits.
-- Severity: critical
-- Reason: With one pseudonym, rows of two attempts could not be distinguished. Another length is no
--     HMAC-SHA256.
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
