-- reports.headline: what is in the warehouse?
-- Position: 10
-- Reads: flat.messages, flat.attempts
-- Grain: one row
-- Parameters: none
-- Answer: {attempts} attempts at {exams} exams from {first_date} to {last_date}, reported by
--     {messages} messages. The mean score is {mean_score_percent}.
-- Assumes: An attempt counts once, by its newest message. Columns that say messages count every
--     message. The mean is the mean of the scores of attempts, not the ratio of all correct answers
--     to all questions. A perfect attempt has a score and every answer correct.
-- Chart: none
-- Dashboard: attempts, exams, mean_score_percent, perfect_attempts
-- Usage: ./warehouse query -f sql/4_reports/headline.sql

WITH messages AS (
    SELECT
        COUNT(*) AS messages,
        ROUND(100 * AVG(score), 3) AS mean_score_percent,
        COUNT(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 END) AS perfect_messages
    FROM flat.messages
),

attempts AS (
    SELECT
        COUNT(*) AS attempts,
        COUNT(DISTINCT exam_name) AS exams,
        COUNT(DISTINCT exam_id) AS exam_ids,
        ROUND(100 * AVG(score), 3) AS mean_score_percent,
        ROUND(100 * STDDEV_SAMP(score), 3) AS score_deviation_percent,
        COUNT(CASE WHEN is_all_correct AND score IS NOT NULL THEN 1 END) AS perfect_attempts,
        SUM(question_count) AS questions_shown,
        SUM(unanswered_count) AS questions_unanswered,
        MIN(started_date) AS first_date,
        MAX(started_date) AS last_date
    FROM flat.attempts
)

SELECT
    attempts.attempts,
    messages.messages,
    attempts.exams,
    attempts.exam_ids,
    attempts.mean_score_percent,
    messages.mean_score_percent AS mean_score_percent_of_messages,
    attempts.score_deviation_percent,
    attempts.perfect_attempts,
    messages.perfect_messages,
    attempts.questions_shown,
    attempts.questions_unanswered,
    attempts.first_date,
    attempts.last_date
FROM attempts
CROSS JOIN messages;
