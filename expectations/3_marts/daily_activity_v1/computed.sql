-- computed: means and sums follow from their counts.
-- Severity: critical
-- Reason: The mean is the sum of the scores over their number. Both are NULL exactly where no
--     attempt has a score, sums of counts only there.
-- Reads: candidate.daily_activity
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/daily_activity_v1/computed.sql

SELECT
    started_date,
    started_hour,
    message_count,
    attempt_count,
    scored_attempt_count,
    perfect_attempt_count,
    question_count,
    correct_count,
    unanswered_count,
    score_sum,
    mean_score
FROM candidate.daily_activity
WHERE
    (scored_attempt_count = 0) <> (score_sum IS NULL)
    OR (scored_attempt_count = 0) <> (mean_score IS NULL)
    OR (scored_attempt_count > 0 AND (question_count IS NULL OR correct_count IS NULL))
    OR ABS(mean_score * scored_attempt_count - score_sum)
    > 0.00001 * (scored_attempt_count + ABS(score_sum))
    OR perfect_attempt_count > scored_attempt_count
    OR scored_attempt_count > attempt_count
    OR attempt_count > message_count
    OR (started_date IS NULL) <> (started_hour IS NULL);
