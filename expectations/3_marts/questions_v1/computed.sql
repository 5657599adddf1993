-- computed: the share follows from the counts, and the rank from the share.
-- Severity: critical
-- Reason: The share times the showings gives the correct ones. Within an exam, ranks begin at
--     1 and a higher rank has a higher share.
-- Reads: candidate.questions
-- Parameters: none
-- Usage: ./warehouse beeline -f expectations/3_marts/questions_v1/computed.sql

SELECT
    exam_id,
    question_id,
    shown_count,
    correct_count,
    correct_share,
    difficulty_rank,
    previous_share,
    previous_rank
FROM (
    SELECT
        *,
        LAG(correct_share) OVER (
            PARTITION BY exam_id ORDER BY difficulty_rank, correct_share
        ) AS previous_share,
        LAG(difficulty_rank) OVER (
            PARTITION BY exam_id ORDER BY difficulty_rank, correct_share
        ) AS previous_rank
    FROM candidate.questions
) AS questions
WHERE
    ABS(correct_share * shown_count - correct_count) > 0.000001
    OR (previous_rank IS NULL AND difficulty_rank <> 1)
    OR correct_share < previous_share
    OR (difficulty_rank = previous_rank) <> (correct_share = previous_share);
