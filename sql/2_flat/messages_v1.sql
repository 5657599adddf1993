-- flat.messages: one row per accepted message, duplicates included, with what is odd about it.
-- Reads: raw.assessments
-- Writes: flat.messages_v1, flat.messages
-- Grain: kafka_topic, kafka_partition, kafka_offset
-- Parameters: warehouse_root text, landing integer, since integer, build_id identifier
-- Usage: ./warehouse beeline -f sql/2_flat/messages_v1.sql --hivevar landing=1 --hivevar since=0
--     --hivevar build_id=b20261124T001502Z --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Increments: a build reads the landings behind `since`, the last that the one before it read, and
--     carries the partitions of that one along. `since` 0 reads everything. Those that are to be
--     fewer and larger files it reads and writes again, as partitions of ` rewritten`.
-- Why: to read a line of JSON takes a hundred times as long as to read it here. The expectations
--     about messages look here, and hold the fingerprints against those of flat.attempts.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.messages_v1 (
    kafka_topic STRING COMMENT 'The Kafka topic',
    kafka_partition INT COMMENT 'The Kafka partition',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    kafka_published_at TIMESTAMP COMMENT 'When it was published, UTC',
    landing BIGINT COMMENT 'Number of the landing that brought it',
    event_id STRING COMMENT 'The event that it reports (keen_id), NULL if missing or empty',
    unknown_fields ARRAY<STRUCT<path: STRING, example: STRING>>
    COMMENT 'Fields that the contract does not name, NULL where there is none',
    is_embedded BOOLEAN COMMENT 'Whether raw.assessments has it as it came, not as original',
    oddities STRING COMMENT 'What no message known so far was like, with commas, empty for nothing',
    fingerprint INT COMMENT 'Hash of what flat.attempts keeps of a message, if it keeps this one',
    hash_kind INT COMMENT 'Hash of a constant: engines hash differently, this tells who did'
)
COMMENT 'Accepted messages, one row per Kafka topic, partition and offset'
PARTITIONED BY (
    build_id STRING COMMENT 'The build that the row belongs to',
    part STRING COMMENT 'The build that wrote it'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/messages_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH messages AS (
    SELECT -- noqa: ST06
        kafka_topic,
        kafka_partition,
        kafka_offset,
        landing,
        unknown_fields,
        payload.user_exam_id AS attempt_id,
        payload.base_exam_id AS exam_id,
        payload.exam_name,
        payload.sequences.id AS question_set_id,
        payload.sequences.counts.total AS question_count,
        payload.sequences.counts.correct AS correct_count,
        payload.sequences.counts.incorrect AS incorrect_count,
        payload.sequences.counts.incomplete AS incomplete_count,
        payload.sequences.counts.submitted AS submitted_count,
        payload.sequences.counts.unanswered AS unanswered_count,
        payload.sequences.counts.all_correct AS is_all_correct,
        payload.sequences.questions,
        NULLIF(payload.keen_id, '') AS event_id,
        -- ISO-8601 in UTC, to the microsecond, from 1600 on: before, the calendars of engines part.
        CAST(REPLACE(REGEXP_EXTRACT(payload.started_at, CONCAT(
            '^(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}',
            '(?=[.Z])([.][0-9]{1,6})?(?=[0-9]*Z\\z)'
        ), 0), 'T', ' ') AS TIMESTAMP) AS started_at,
        -- Unix seconds as text: whole ones by the calendar, the fraction as it stands, no doubles.
        CAST(CONCAT(
            FROM_UNIXTIME(CAST(REGEXP_EXTRACT(
                payload.keen_timestamp, '^([0-9]{1,10})([.][0-9]+)?\\z', 1
            ) AS BIGINT)),
            REGEXP_EXTRACT(payload.keen_timestamp, '^[0-9]*(([.][0-9]{1,6})?)', 1)
        ) AS TIMESTAMP) AS received_at,
        CASE payload.certification WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END
            AS certification,
        CAST(REGEXP_EXTRACT(payload.max_attempts, '^([0-9]+)([.]0*)?\\z', 1) AS INT)
            AS max_attempts,
        CASE
            WHEN kafka_timestamp BETWEEN 0 AND 253402300799999
                THEN CAST(CONCAT(
                    FROM_UNIXTIME(CAST(FLOOR(kafka_timestamp / 1000) AS BIGINT)),
                    '.', LPAD(CAST(PMOD(kafka_timestamp, 1000) AS STRING), 3, '0')
                ) AS TIMESTAMP)
        END AS kafka_published_at,
        original IS NULL AS is_embedded,
        CONCAT_WS(
            ', ',
            CASE WHEN payload IS NULL THEN 'no payload' END,
            CASE WHEN payload.keen_id IS NULL THEN 'no keen_id' END,
            CASE WHEN payload.keen_timestamp IS NULL THEN 'no keen_timestamp' END,
            CASE WHEN payload.keen_created_at IS NULL THEN 'no keen_created_at' END,
            CASE WHEN payload.user_exam_id IS NULL THEN 'no user_exam_id' END,
            CASE WHEN payload.base_exam_id IS NULL THEN 'no base_exam_id' END,
            CASE WHEN payload.exam_name IS NULL THEN 'no exam_name' END,
            CASE WHEN payload.max_attempts IS NULL THEN 'no max_attempts' END,
            CASE WHEN payload.started_at IS NULL THEN 'no started_at' END,
            CASE WHEN payload.sequences.questions IS NULL THEN 'no questions' END,
            CASE WHEN payload.certification <> 'false' THEN 'certification is new' END,
            CASE WHEN payload.max_attempts <> '1.0' THEN 'max_attempts is new' END,
            CASE WHEN payload.sequences.attempt <> 1 THEN 'attempt is new' END,
            CASE WHEN payload.keen_created_at <> payload.keen_timestamp THEN 'two arrivals' END
        ) AS oddities
    FROM raw.assessments
    WHERE landing > ${since} AND landing <= ${landing}
),

looked_at AS (
    SELECT
        kafka_topic,
        kafka_partition,
        kafka_offset,
        kafka_published_at,
        landing,
        event_id,
        unknown_fields,
        is_embedded,
        oddities,
        -- Beside each whether it is NULL: the hash of Spark passes over one, wherever it stands.
        HASH(
            attempt_id, attempt_id IS NULL,
            event_id, event_id IS NULL,
            exam_id, exam_id IS NULL,
            exam_name, exam_name IS NULL,
            started_at, started_at IS NULL,
            received_at, received_at IS NULL,
            certification, certification IS NULL,
            max_attempts, max_attempts IS NULL,
            question_set_id, question_set_id IS NULL,
            question_count, question_count IS NULL,
            correct_count, correct_count IS NULL,
            incorrect_count, incorrect_count IS NULL,
            incomplete_count, incomplete_count IS NULL,
            submitted_count, submitted_count IS NULL,
            unanswered_count, unanswered_count IS NULL,
            is_all_correct, is_all_correct IS NULL,
            kafka_published_at, kafka_published_at IS NULL,
            questions, questions IS NULL
        ) AS fingerprint,
        HASH('fingerprint') AS hash_kind
    FROM messages
    UNION ALL
    SELECT
        kafka_topic,
        kafka_partition,
        kafka_offset,
        kafka_published_at,
        landing,
        event_id,
        unknown_fields,
        is_embedded,
        oddities,
        fingerprint,
        hash_kind
    FROM flat.messages_v1
    WHERE build_id = '${build_id} rewritten'
)

-- Sorted, else Hive writes each branch of a union into a folder of its own that Spark passes over.
INSERT OVERWRITE TABLE flat.messages_v1
PARTITION (build_id = '${build_id}', part)
SELECT
    kafka_topic,
    kafka_partition,
    kafka_offset,
    kafka_published_at,
    landing,
    event_id,
    unknown_fields,
    is_embedded,
    oddities,
    fingerprint,
    hash_kind,
    '${build_id}' AS part
FROM looked_at
SORT BY kafka_partition, kafka_offset;

CREATE OR REPLACE VIEW flat.messages AS
SELECT * FROM flat.messages_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
