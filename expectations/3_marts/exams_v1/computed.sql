-- computed: computed columns follow from their sources.
-- Severity: critical
-- Reason: Means and shares are NULL exactly where no attempt has a score, the deviation where
--     fewer than two have, sums of counts only there. The mean is the sum of the scores over
--     their number, and the first day is not after the last.
-- Reads: candidate.exams
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/exams_v1/computed.sql

SELECT
    exam_id,
    message_count,
    attempt_count,
    scored_attempt_count,
    perfect_attempt_count,
    score_sum,
    mean_score,
    score_deviation,
    perfect_share,
    question_count,
    correct_count,
    first_date,
    last_date
FROM candidate.exams
WHERE
    (scored_attempt_count = 0) <> (score_sum IS NULL)
    OR (scored_attempt_count = 0) <> (mean_score IS NULL)
    OR (scored_attempt_count = 0) <> (perfect_share IS NULL)
    OR (scored_attempt_count < 2) <> (score_deviation IS NULL)
    OR (scored_attempt_count > 0 AND (question_count IS NULL OR correct_count IS NULL))
    OR ABS(mean_score * scored_attempt_count - score_sum)
    > 0.00001 * (scored_attempt_count + ABS(score_sum))
    OR ABS(perfect_share * scored_attempt_count - perfect_attempt_count) > 0.00001
    OR score_deviation < 0
    OR first_date > last_date
    OR scored_attempt_count > attempt_count
    OR attempt_count > message_count;
