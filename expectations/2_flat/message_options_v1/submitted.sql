-- submitted: a submitted option was checked and clicked.
-- Severity: warning
-- Reason: Messages seen so far mark exactly the checked options as submitted, and every
--     checked option was clicked. A click time that names no instant is NULL and shows here too.
-- Reads: candidate.question_options
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/message_options_v1/submitted.sql
--     --hivevar since=0

SELECT
    attempt_id,
    question_position,
    option_position,
    is_checked,
    is_submitted,
    clicked_at
FROM candidate.question_options
WHERE
    landing > ${since}
    AND last_landing > ${since}
    AND (is_submitted <> is_checked OR (is_checked AND clicked_at IS NULL));
