-- reports.score_distribution: how are the scores distributed?
-- Position: 130
-- Reads: flat.attempts
-- Grain: score_from_percent, a tenth of the scale, the most frequent first
-- Parameters: none
-- Answer: The most frequent tenth of the scale begins at {score_from_percent}: {attempts}
--     attempts, {attempts_percent} of all.
-- Assumes: A full score counts in the last tenth, from 90 %. Most exams have 4 or 5 questions, so
--     that few values can occur. Attempts without a score are left out.
-- Empty: No attempt has a score yet.
-- Chart: column x=score_from_percent y=attempts
-- Dashboard: 6
-- Usage: ./warehouse query -f sql/4_reports/score_distribution.sql

SELECT
    CAST(LEAST(FLOOR(10 * correct_count / question_count), 9) * 10 AS INT) AS score_from_percent,
    COUNT(*) AS attempts,
    ROUND(100 * COUNT(*) / SUM(COUNT(*)) OVER (), 1) AS attempts_percent
FROM flat.attempts
WHERE score IS NOT NULL
GROUP BY CAST(LEAST(FLOOR(10 * correct_count / question_count), 9) * 10 AS INT)
ORDER BY attempts DESC, score_from_percent ASC;
