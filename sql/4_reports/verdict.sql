-- reports.verdict: is the data as expected?
-- Position: 22
-- Reads: ops.expectation_results, ops.releases
-- Grain: one row, none before the first validation
-- Parameters: none
-- Answer: {verdict}: {met} of {expectations} expectations about {table_count} tables are met. What
--     was validated at {validated_at} is {looked_at}.
-- Empty: Nobody has looked yet, no validation has run.
-- Hides: verdict, looked_at
-- Assumes: Only the last validation counts. A critical expectation that is not met keeps a build
--     from the readers, a warning is only told. Each expectation, with its reason, is in
--     ops.expectation_results and on the page of the validation.
-- Front: answer
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/verdict.sql

WITH newest AS (
    SELECT MAX(run_id) AS run_id
    FROM ops.expectation_results
),

seen AS (
    SELECT
        build_id,
        ROW_NUMBER() OVER (ORDER BY release DESC) AS place
    FROM ops.releases
    WHERE action <> 'refused'
),

counted AS (
    SELECT
        looked.build_id,
        MAX(looked.validated_at) AS validated_at,
        COUNT(*) AS expectations,
        COUNT(DISTINCT looked.table_name) AS table_count,
        SUM(CASE WHEN looked.is_met THEN 1 ELSE 0 END) AS met,
        SUM(CASE WHEN NOT looked.is_met AND looked.severity = 'critical' THEN 1 ELSE 0 END)
            AS critical_unmet
    FROM ops.expectation_results AS looked
    INNER JOIN newest ON looked.run_id = newest.run_id
    GROUP BY looked.build_id
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
        WHEN counted.build_id = seen.build_id THEN 'the build that readers see'
        ELSE 'a build that readers do not see'
    END AS looked_at,
    CASE
        WHEN counted.met = counted.expectations THEN 'good'
        WHEN counted.critical_unmet = 0 THEN 'warn'
        ELSE 'bad'
    END AS standing
FROM counted
LEFT JOIN seen ON seen.place = 1;
