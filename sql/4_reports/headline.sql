-- reports.headline: what is in the warehouse?
-- Position: 10
-- Reads: flat.attempts
-- Grain: one row
-- Parameters: none
-- Answer: {attempts} attempts at {exams} exams from {first_date} to {last_date}, reported by
--     {messages} messages. The mean score is {mean_score_percent} %.
-- Assumes: Duplicates are removed before anything is counted, but for the columns that say
--     messages. The mean is the mean of the scores of attempts, not the ratio of all correct
--     answers to all questions.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/headline.sql

SELECT
    COUNT(*) AS attempts,
    SUM(message_count) AS messages,
    COUNT(DISTINCT exam_name) AS exams,
    COUNT(DISTINCT exam_id) AS exam_ids,
    ROUND(100 * AVG(score), 3) AS mean_score_percent,
    ROUND(
        100 * SUM(score * message_count)
        / SUM(CASE WHEN score IS NOT NULL THEN message_count END), 3
    ) AS mean_score_percent_of_messages,
    ROUND(100 * STDDEV_SAMP(score), 3) AS score_deviation_percent,
    SUM(CASE WHEN is_all_correct THEN 1 ELSE 0 END) AS perfect_attempts,
    SUM(question_count) AS questions_asked,
    SUM(unanswered_count) AS questions_unanswered,
    MIN(started_date) AS first_date,
    MAX(started_date) AS last_date
FROM flat.attempts;
