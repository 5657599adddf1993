-- reports.data_source: is the data real or the synthetic sample?
-- Position: 20
-- Reads: flat.attempts
-- Grain: one row
-- Parameters: none
-- Answer: The data is {origin}: {synthetic_attempts} of {attempts} attempts are synthetic.
-- Assumes: The generator marks every event id it makes with 5e17ec71c0 in the middle. No genuine id
--     has it there but by chance, once in 10 to the power of 12.
-- Customers: none, their tables have no event ids.
-- Front: answer
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/data_source.sql

SELECT
    attempts,
    synthetic_attempts,
    CASE
        WHEN attempts = 0 THEN 'not there yet'
        WHEN synthetic_attempts = 0 THEN 'real'
        WHEN synthetic_attempts = attempts THEN 'the synthetic sample'
        ELSE 'real and synthetic together'
    END AS origin,
    CASE WHEN synthetic_attempts > 0 THEN 'warn' ELSE 'good' END AS standing
FROM (
    SELECT
        COUNT(*) AS attempts,
        COUNT(CASE WHEN event_id LIKE '________5e17ec71c0______' THEN 1 END) AS synthetic_attempts
    FROM flat.attempts
) AS counted;
