{{ config(materialized='table') }}

WITH attempts AS (
    {{ counted_attempts() }}
)

SELECT
    exam_id,
    MAX(exam_name) AS exam_name,
    SUM(message_count) AS message_count,
    COUNT(*) AS attempt_count,
    COUNT(score) AS scored_attempt_count,
    SUM(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 ELSE 0 END) AS perfect_attempt_count,
    SUM(question_count) AS question_count,
    SUM(correct_count) AS correct_count,
    SUM(incorrect_count) AS incorrect_count,
    SUM(incomplete_count) AS incomplete_count,
    SUM(unanswered_count) AS unanswered_count,
    ROUND(SUM(score), 9) AS score_sum,
    ROUND(AVG(score), 9) AS mean_score,
    ROUND(STDDEV_SAMP(score), 6) AS score_deviation,
    SUM(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 ELSE 0 END) / COUNT(score) AS perfect_share,
    MIN(started_date) AS first_date,
    MAX(started_date) AS last_date
FROM attempts
GROUP BY exam_id
