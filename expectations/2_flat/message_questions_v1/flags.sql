-- flags: flags agree with the result.
-- Severity: warning
-- Reason: Only a correct question is_correct, only one with missed options is_incomplete, and
--     all but the unanswered are submitted.
-- Reads: candidate.attempt_questions
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/message_questions_v1/flags.sql --hivevar
--     since=0

SELECT
    attempt_id,
    question_position,
    result,
    is_correct,
    is_incomplete,
    is_submitted
FROM candidate.attempt_questions
WHERE
    landing > ${since}
    AND last_landing > ${since}
    AND (
        is_correct <> (result = 'correct')
        OR is_incomplete <> (result = 'missed_some')
        OR is_submitted <> (result <> 'unanswered')
    );
