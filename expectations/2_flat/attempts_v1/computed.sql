-- computed: computed columns follow from their sources.
-- Severity: critical
-- Reason: The score times the questions gives the correct ones, and is NULL exactly where
--     there are no counts or no questions. The start lies on its day, and is NULL with it.
-- Reads: candidate.attempts
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/attempts_v1/computed.sql --hivevar
--     since=0

SELECT
    attempt_id,
    correct_count,
    question_count,
    score,
    started_at,
    started_date
FROM candidate.attempts
WHERE
    landing > ${since}
    AND (
        (score IS NULL) <> (correct_count IS NULL OR COALESCE(question_count, 0) <= 0)
        -- Relative, since counts may be as large as BIGINT.
        OR ABS(score * question_count - correct_count)
        > 0.000001 * (1 + ABS(score * question_count))
        OR (started_at IS NULL) <> (started_date IS NULL)
        OR started_at < started_date
        OR started_at >= DATE_ADD(started_date, 1)
    );
