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

counted AS (
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
    counted.expectations,
    counted.met,
    counted.critical_unmet,
    counted.table_count,
    CAST(REGEXP_REPLACE(counted.validated_at, '[TZ]', ' ') AS TIMESTAMP) AS validated_at,
    counted.expectations - counted.met - counted.critical_unmet AS warnings,
    CASE
        WHEN counted.met = counted.expectations THEN 'Yes'
        WHEN counted.critical_unmet = 0 THEN 'Yes, but there are warnings'
        ELSE 'No'
    END AS verdict,
    CASE
        WHEN counted.release = published.release THEN 'the release that readers see'
        ELSE 'another release than readers see'
    END AS validated_release,
    CASE
        WHEN counted.met = counted.expectations THEN 'good'
        WHEN counted.critical_unmet = 0 THEN 'warn'
        ELSE 'bad'
    END AS standing
FROM counted
CROSS JOIN ops.published;
