-- adds_up: each hour adds up to the attempts started in it.
-- Severity: critical
-- Reason: Every attempt counts in exactly one row, with its questions, its correct and
--     unanswered ones and its score.
-- Reads: candidate.attempts, candidate.daily_activity
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/daily_activity_v1/adds_up.sql

SELECT
    started_date,
    started_hour,
    SUM(hour_rows) AS hour_rows,
    SUM(attempts) AS attempt_difference,
    SUM(scored) AS scored_difference,
    SUM(perfect) AS perfect_difference,
    SUM(questions) AS question_difference,
    SUM(correct) AS correct_difference,
    SUM(unanswered) AS unanswered_difference,
    SUM(scores) AS score_difference
FROM (
    SELECT
        started_date,
        started_hour,
        1 AS hour_rows,
        attempt_count AS attempts,
        scored_attempt_count AS scored,
        perfect_attempt_count AS perfect,
        COALESCE(question_count, 0) AS questions, -- NULL where no attempt has counts
        COALESCE(correct_count, 0) AS correct,
        COALESCE(unanswered_count, 0) AS unanswered,
        COALESCE(score_sum, 0) AS scores
    FROM candidate.daily_activity
    UNION ALL
    SELECT
        started_date,
        CAST(REGEXP_EXTRACT(CAST(started_at AS STRING), ' ([0-9]{2}):', 1) AS INT) AS started_hour,
        0 AS hour_rows,
        -1 AS attempts,
        CASE WHEN score IS NOT NULL THEN -1 ELSE 0 END AS scored,
        CASE WHEN is_all_correct AND score IS NOT NULL THEN -1 ELSE 0 END AS perfect,
        -COALESCE(question_count, 0) AS questions,
        -COALESCE(correct_count, 0) AS correct,
        -COALESCE(unanswered_count, 0) AS unanswered,
        -COALESCE(score, 0) AS scores
    FROM candidate.attempts
) AS compared
GROUP BY started_date, started_hour
HAVING
    SUM(hour_rows) <> 1
    OR SUM(attempts) <> 0
    OR SUM(scored) <> 0
    OR SUM(perfect) <> 0
    OR SUM(questions) <> 0
    OR SUM(correct) <> 0
    OR SUM(unanswered) <> 0
    -- The last places of a sum of doubles depend on its order.
    OR ABS(SUM(scores)) > 0.00001 + 0.0000000001 * SUM(ABS(scores));
