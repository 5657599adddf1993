{{ config(materialized='table') }}

WITH attempts AS (
    {{ counted_attempts() }}
)

SELECT
    started_date,
    HOUR(started_at) AS started_hour,
    SUM(message_count) AS message_count,
    COUNT(*) AS attempt_count,
    COUNT(score) AS scored_attempt_count,
    SUM(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 ELSE 0 END) AS perfect_attempt_count,
    SUM(question_count) AS question_count,
    SUM(correct_count) AS correct_count,
    SUM(unanswered_count) AS unanswered_count,
    ROUND(SUM(score), 9) AS score_sum,
    ROUND(AVG(score), 9) AS mean_score
FROM attempts
GROUP BY started_date, HOUR(started_at)
