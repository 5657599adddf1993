-- reports.verdict: is the data as expected?
-- Position: 22
-- Reads: ops.expectation_results, ops.published
-- Grain: one row, none before the first validation
-- Parameters: none
-- Answer: {verdict}: {met} of {expectations} expectations are met. The validation of {validated_at}
--     checked {validated_release}.
-- Empty: No validation has run yet.
-- Hides: verdict, validated_release
-- Assumes: Only the last validation counts. A build whose critical expectations are not met is not
--     published. Warnings are reported but do not block. Each expectation, with its reason, is in
--     ops.expectation_results and on the page of the validation.
-- Front: answer
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/verdict.sql

WITH newest AS (
    SELECT MAX(run_id) AS run_id
    FROM ops.expectation_results
),

outcome AS (
    SELECT
        results.release,
        MAX(results.validated_at) AS validated_at,
        COUNT(*) AS expectations,
        COUNT(DISTINCT results.table_name) AS table_count,
        COUNT(CASE WHEN results.is_met THEN 1 END) AS met,
        COUNT(CASE WHEN NOT results.is_met AND results.severity = 'critical' THEN 1 END)
            AS critical_unmet
    FROM ops.expectation_results AS results
    INNER JOIN newest ON results.run_id = newest.run_id
    GROUP BY results.release
)

SELECT
    outcome.expectations,
    outcome.met,
    outcome.critical_unmet,
    outcome.table_count,
    CAST(REGEXP_REPLACE(outcome.validated_at, '[TZ]', ' ') AS TIMESTAMP) AS validated_at,
    outcome.expectations - outcome.met - outcome.critical_unmet AS other_unmet,
    CASE
        WHEN outcome.met = outcome.expectations THEN 'Yes'
        WHEN outcome.critical_unmet = 0 THEN 'In all that is critical'
        ELSE 'No'
    END AS verdict,
    CASE
        WHEN outcome.release = published.release THEN 'the release that readers see'
        ELSE 'another release than readers see'
    END AS validated_release,
    CASE
        WHEN outcome.met = outcome.expectations THEN 'good'
        WHEN outcome.critical_unmet = 0 THEN 'warn'
        ELSE 'bad'
    END AS standing
FROM outcome
CROSS JOIN ops.published;
