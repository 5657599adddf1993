-- reports.learning_git: how many people took Learning Git?
-- Position: 50
-- Reads: marts.exams
-- Grain: one row
-- Parameters: none
-- Answer: {attempts} attempts, reported by {messages} messages.
-- Assumes: The data names attempts, not people: a person who took the exam twice counts twice.
-- Customers: none, it names an exam that may be of another.
-- Chart: none
-- Usage: ./warehouse query -f sql/4_reports/learning_git.sql

-- Nobody took it where no row is left to add up: that is 0, not unknown.
SELECT
    'Learning Git' AS exam_name,
    COALESCE(SUM(attempt_count), 0) AS attempts,
    COALESCE(SUM(message_count), 0) AS messages
FROM marts.exams
WHERE exam_name = 'Learning Git';
