-- reports.hardest_exams: which exams are the hardest?
-- Position: 80
-- Reads: marts.exams
-- Grain: exam_name, the 10 with the lowest mean score
-- Parameters: none
-- Answer: {exam_name} is the hardest: its {attempts} scored attempts reach {mean_score_percent} %
--     on average.
-- Assumes: Exams with fewer than 10 scored attempts are left out, their mean says little.
-- Chart: bar x=mean_score_percent y=exam_name
-- Usage: ./warehouse query -f sql/4_reports/hardest_exams.sql

SELECT
    exam_name,
    SUM(scored_attempt_count) AS attempts,
    ROUND(100 * SUM(score_sum) / SUM(scored_attempt_count), 1) AS mean_score_percent,
    ROUND(100 * SUM(perfect_attempt_count) / SUM(scored_attempt_count), 1) AS perfect_percent,
    ROUND(100 * SUM(unanswered_count) / SUM(question_count), 1) AS unanswered_percent
FROM marts.exams
GROUP BY exam_name
HAVING SUM(scored_attempt_count) >= 10
ORDER BY mean_score_percent, exam_name
LIMIT 10;
