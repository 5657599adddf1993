-- The three flat tables from a dump of the topic, by DuckDB: same rows, columns and types as sql/ makes.
-- ${dump} is the dump, ${folder} where the Parquet files go. The messages are parsed once, into a temporary table.

CREATE MACRO utc(text) AS CASE
    WHEN REGEXP_FULL_MATCH(text, '(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}([.][0-9]+)?Z')
        THEN TRY_CAST(LEFT(RTRIM(text, 'Z'), 26) AS TIMESTAMP)
END;

CREATE TEMPORARY TABLE messages AS
SELECT
    *,
    utc(payload.started_at) AS started_at
FROM READ_JSON('${dump}', format = 'newline_delimited', columns = {
    kafka_topic: 'VARCHAR',
    kafka_partition: 'INTEGER',
    kafka_offset: 'BIGINT',
    kafka_timestamp: 'BIGINT',
    payload: 'STRUCT(
        keen_timestamp VARCHAR, keen_id VARCHAR, user_exam_id VARCHAR, base_exam_id VARCHAR, exam_name VARCHAR,
        certification VARCHAR, max_attempts VARCHAR, started_at VARCHAR,
        sequences STRUCT(
            id VARCHAR,
            counts STRUCT(
                total BIGINT, correct BIGINT, incorrect BIGINT, incomplete BIGINT, submitted BIGINT,
                unanswered BIGINT, all_correct BOOLEAN
            ),
            questions STRUCT(
                id VARCHAR, user_result VARCHAR, user_correct BOOLEAN, user_incomplete BOOLEAN,
                user_submitted BOOLEAN,
                options STRUCT(id VARCHAR, checked BOOLEAN, correct BOOLEAN, submitted BIGINT, "at" VARCHAR)[]
            )[]
        )
    )'
});

-- A join with the newest coordinates is far cheaper than a window over the payloads.
CREATE TEMPORARY TABLE events AS
WITH newest AS (
    SELECT
        MAX(ROW(kafka_timestamp, kafka_partition, kafka_offset)) AS place
    FROM messages
    GROUP BY payload.user_exam_id
)

SELECT messages.*
FROM messages
    INNER JOIN newest
        ON newest.place = ROW(messages.kafka_timestamp, messages.kafka_partition, messages.kafka_offset);

DROP TABLE messages;

COPY (
    SELECT
        payload.user_exam_id AS attempt_id,
        payload.keen_id AS event_id,
        payload.base_exam_id AS exam_id,
        payload.exam_name AS exam_name,
        started_at,
        CASE
            WHEN REGEXP_FULL_MATCH(payload.keen_timestamp, '[0-9]{1,10}([.][0-9]+)?')
                THEN MAKE_TIMESTAMP(
                    CAST(SPLIT_PART(payload.keen_timestamp, '.', 1) AS BIGINT) * 1000000
                    + CAST(RPAD(LEFT(SPLIT_PART(payload.keen_timestamp, '.', 2), 6), 6, '0') AS BIGINT)
                )
        END AS received_at,
        CASE payload.certification WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END AS certification,
        TRY_CAST(NULLIF(REGEXP_EXTRACT(payload.max_attempts, '^([0-9]+)([.]0*)?\z', 1), '') AS INTEGER)
            AS max_attempts,
        payload.sequences.id AS question_set_id,
        payload.sequences.counts.total AS question_count,
        payload.sequences.counts.correct AS correct_count,
        payload.sequences.counts.incorrect AS incorrect_count,
        payload.sequences.counts.incomplete AS incomplete_count,
        payload.sequences.counts.submitted AS submitted_count,
        payload.sequences.counts.unanswered AS unanswered_count,
        payload.sequences.counts.all_correct AS is_all_correct,
        CASE
            WHEN payload.sequences.counts.total > 0
                THEN payload.sequences.counts.correct / payload.sequences.counts.total
        END AS score,
        kafka_topic,
        kafka_partition,
        kafka_offset,
        MAKE_TIMESTAMP(kafka_timestamp * 1000) AS kafka_published_at,
        CAST(started_at AS DATE) AS started_date
    FROM events
) TO '${folder}/attempts.parquet' (FORMAT PARQUET, COMPRESSION ZSTD);

COPY (
    WITH shown AS (
        SELECT
            payload.user_exam_id AS attempt_id,
            payload.base_exam_id AS exam_id,
            kafka_partition,
            kafka_offset,
            UNNEST(payload.sequences.questions) AS question,
            GENERATE_SUBSCRIPTS(payload.sequences.questions, 1) AS position
        FROM events
    )

    SELECT
        attempt_id,
        exam_id,
        kafka_partition,
        kafka_offset,
        CAST(position AS INTEGER) AS question_position,
        question.id AS question_id,
        question.user_result AS result,
        question.user_correct AS is_correct,
        question.user_incomplete AS is_incomplete,
        question.user_submitted AS is_submitted,
        CAST(LEN(question.options) AS INTEGER) AS option_count
    FROM shown
) TO '${folder}/attempt_questions.parquet' (FORMAT PARQUET, COMPRESSION ZSTD);

COPY (
    WITH shown AS (
        SELECT
            payload.user_exam_id AS attempt_id,
            payload.base_exam_id AS exam_id,
            kafka_partition,
            kafka_offset,
            UNNEST(payload.sequences.questions) AS question,
            GENERATE_SUBSCRIPTS(payload.sequences.questions, 1) AS position
        FROM events
    ),

    offered AS (
        SELECT
            attempt_id,
            exam_id,
            kafka_partition,
            kafka_offset,
            position,
            UNNEST(question.options) AS choice,
            GENERATE_SUBSCRIPTS(question.options, 1) AS option_position
        FROM shown
    )

    SELECT
        attempt_id,
        exam_id,
        kafka_partition,
        kafka_offset,
        CAST(position AS INTEGER) AS question_position,
        CAST(option_position AS INTEGER) AS option_position,
        choice.id AS option_id,
        choice.checked AS is_checked,
        CASE WHEN choice IS NOT NULL THEN COALESCE(choice.correct, FALSE) END AS is_correct,
        CASE WHEN choice IS NOT NULL THEN COALESCE(choice.submitted = 1, FALSE) END AS is_submitted,
        utc(choice."at") AS clicked_at
    FROM offered
) TO '${folder}/question_options.parquet' (FORMAT PARQUET, COMPRESSION ZSTD);
