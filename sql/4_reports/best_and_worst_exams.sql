-- reports.best_and_worst_exams: which exams have the best and the worst scores?
-- Position: 80
-- Reads: marts.exams, flat.messages
-- Grain: exam_name, the 5 with the highest and the 5 with the lowest mean score, the highest first
-- Parameters: none
-- Answer: The best mean score is that of {exam_name}: {mean_score_percent}, over {attempts}
--     attempts. The worst is that of {worst_exam}: {worst_percent}, over {worst_attempts}.
-- Empty: No exam has 30 scored attempts yet.
-- Hides: worst_exam, worst_percent, worst_attempts
-- Assumes: Only exams with at least 30 scored attempts count. Reports that count messages come to
--     mean_score_percent_of_messages.
-- Chart: bar x=mean_score_percent y=exam_name
-- Dashboard: 6
-- Usage: ./warehouse query -f sql/4_reports/best_and_worst_exams.sql

WITH exams AS (
    SELECT
        exam_name,
        SUM(scored_attempt_count) AS attempts,
        ROUND(100 * SUM(score_sum) / SUM(scored_attempt_count), 1) AS mean_score_percent,
        -- To order by: equal means may differ in the last places of their sums.
        ROUND(SUM(score_sum) / SUM(scored_attempt_count), 6) AS mean_score
    FROM marts.exams
    GROUP BY exam_name
    HAVING SUM(scored_attempt_count) >= 30
),

messages AS (
    SELECT
        exams.exam_name,
        COUNT(messages.score) AS messages,
        ROUND(100 * AVG(messages.score), 1) AS mean_score_percent_of_messages
    FROM flat.messages
    INNER JOIN marts.exams ON messages.exam_id = exams.exam_id
    GROUP BY exams.exam_name
),

ranked AS (
    SELECT
        exam_name,
        attempts,
        mean_score_percent,
        ROW_NUMBER() OVER (ORDER BY mean_score DESC, exam_name ASC) AS best_place,
        ROW_NUMBER() OVER (ORDER BY mean_score ASC, exam_name DESC) AS worst_place
    FROM exams
)

SELECT
    ranked.exam_name,
    ranked.attempts,
    ranked.mean_score_percent,
    messages.messages,
    messages.mean_score_percent_of_messages,
    worst.exam_name AS worst_exam,
    worst.mean_score_percent AS worst_percent,
    worst.attempts AS worst_attempts
FROM ranked
INNER JOIN ranked AS worst ON worst.worst_place = 1
INNER JOIN messages ON ranked.exam_name = messages.exam_name
WHERE ranked.best_place <= 5 OR ranked.worst_place <= 5
ORDER BY ranked.best_place;
