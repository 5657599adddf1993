-- reports.data_oddities: what is wrong with the data?
-- Position: 190
-- Reads: raw.landings, flat.messages, flat.attempts, flat.attempt_questions,
--     flat.question_options, marts.exams
-- Grain: oddity, the most frequent first
-- Parameters: none
-- Answer: {kinds} of {checked_kinds} kinds of oddity occur{most_frequent}.
-- Hides: kinds, checked_kinds, most_frequent
-- Assumes: An oddity is a deviation from what nearly all messages have in common. No value is
--     guessed: missing values stay NULL, and contradictions stay as they came.
-- Chart: bar x=occurrences y=oddity
-- Usage: ./warehouse query -f sql/4_reports/data_oddities.sql

WITH exams AS (
    SELECT exam_name
    FROM marts.exams
    GROUP BY exam_name
    HAVING COUNT(*) > 1
),

questions AS (
    SELECT
        attempt_id,
        COUNT(*) AS question_count,
        SUM(CASE WHEN result = 'correct' THEN 1 ELSE 0 END) AS correct_count
    FROM flat.attempt_questions
    GROUP BY attempt_id
),

clicks AS (
    SELECT
        attempt_id,
        MIN(clicked_at) AS first_clicked_at,
        MAX(clicked_at) AS last_clicked_at
    FROM flat.question_options
    GROUP BY attempt_id
),

reports AS (
    SELECT
        attempt_id,
        COUNT(*) AS messages,
        MIN(event_id) <> MAX(event_id) AS has_several_events
    FROM flat.messages
    GROUP BY attempt_id
),

attempts AS (
    SELECT
        reports.messages,
        reports.has_several_events,
        attempts.exam_id,
        attempts.question_count,
        attempts.certification,
        attempts.started_at,
        attempts.received_at,
        questions.question_count AS listed_count,
        clicks.first_clicked_at,
        clicks.last_clicked_at,
        (
            attempts.question_count <> COALESCE(questions.question_count, 0) -- none has no row
            OR attempts.correct_count <> COALESCE(questions.correct_count, 0)
        ) AS is_miscounted
    FROM flat.attempts
    INNER JOIN reports ON attempts.attempt_id = reports.attempt_id
    LEFT JOIN questions ON attempts.attempt_id = questions.attempt_id
    LEFT JOIN clicks ON attempts.attempt_id = clicks.attempt_id
),

oddities AS (
    SELECT
        STACK(
            11,
            'duplicate messages',
            COALESCE(SUM(messages), 0) - COUNT(*), -- no attempts have no sum
            'The newest report counts',
            'attempts reported by different events',
            COUNT(CASE WHEN has_several_events THEN 1 END), 'The newest report counts',
            'test attempts', COUNT(CASE WHEN exam_id = 'example-id' THEN 1 END), 'Kept',
            'attempts without counts', COUNT(*) - COUNT(question_count), 'Kept without a score',
            'attempts without certification', COUNT(*) - COUNT(certification), 'Kept as NULL',
            'attempts without a start', COUNT(*) - COUNT(started_at), 'Kept as NULL',
            'attempts without questions', COUNT(*) - COUNT(listed_count), 'Kept in flat.attempts',
            'attempts whose counts differ from their questions',
            COUNT(CASE WHEN is_miscounted THEN 1 END), 'Kept as they are',
            'attempts received before they were started',
            COUNT(CASE WHEN received_at < started_at THEN 1 END), 'Kept as they are',
            'attempts with a click after they were received',
            COUNT(CASE WHEN last_clicked_at > received_at THEN 1 END), 'Kept',
            'attempts with a click before they were started',
            COUNT(CASE WHEN first_clicked_at < started_at THEN 1 END), 'Kept'
        ) AS (oddity, occurrences, treatment)
    FROM attempts
    UNION ALL
    SELECT
        'exam names with several ids' AS oddity,
        COUNT(*) AS occurrences,
        'Counted as one exam in reports by name' AS treatment
    FROM exams
    UNION ALL
    SELECT
        'rejected messages' AS oddity,
        -- nothing landed, nothing rejected
        COALESCE(SUM(rejected_count - SIZE(replayed_offsets)), 0) AS occurrences,
        'Kept in raw.rejected_messages' AS treatment
    FROM raw.landings
)

SELECT
    oddity,
    occurrences,
    treatment,
    COUNT(CASE WHEN occurrences > 0 THEN 1 END) OVER () AS kinds,
    COUNT(*) OVER () AS checked_kinds,
    CASE WHEN occurrences > 0 THEN CONCAT(
        ', most often ', FORMAT_NUMBER(occurrences, 0), ' ', oddity, '. Treatment: ', treatment
    ) ELSE '' END AS most_frequent
FROM oddities
ORDER BY occurrences DESC, oddity ASC;
