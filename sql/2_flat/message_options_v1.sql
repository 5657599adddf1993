-- flat.question_options: one row per option offered with a question of an attempt.
-- Reads: raw.assessments_v1, flat.superseded_messages
-- Writes: flat.message_options_v1, flat.question_options
-- Grain: attempt_id, question_position, option_position
-- Parameters: warehouse_root text, folder_compaction integer, folder_landing integer,
--     compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/2_flat/message_options_v1.sql --hivevar folder_compaction=0
--     --hivevar folder_landing=1 --hivevar compaction=0 --hivevar compacted=0
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Nulls: a question without options has no row here. A null in place of an option keeps its row
--     and its position.
-- Increments: fills the partition of one raw folder, superseded messages included. The view leaves
--     these out.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.message_options_v1 (
    attempt_id STRING COMMENT 'The attempt (user_exam_id)',
    exam_id STRING COMMENT 'The exam (base_exam_id)',
    question_position INT COMMENT 'Place of the question in the attempt as shown, from 1',
    option_position INT COMMENT 'Place of the option in the question as shown, from 1',
    option_id STRING COMMENT 'The option',
    is_checked BOOLEAN COMMENT 'Whether it was checked in the end, NULL if the message lacks it',
    is_correct BOOLEAN COMMENT 'Whether checking it is correct (messages mark only these)',
    is_submitted BOOLEAN COMMENT 'Whether it was submitted (messages mark only these)',
    clicked_at TIMESTAMP COMMENT 'Last click by the client clock, UTC, NULL if never clicked',
    kafka_partition INT COMMENT 'Kafka partition of the message',
    kafka_offset BIGINT COMMENT 'Offset of the message in its Kafka partition',
    landing BIGINT COMMENT 'Number of the landing that brought the message'
)
COMMENT 'Options of messages as they came, one row per message, question and option'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Compaction that lists the raw folder, 0 for a landing',
    last_landing BIGINT COMMENT 'Last landing of the raw folder'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/message_options_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE flat.message_options_v1
PARTITION (compaction = ${folder_compaction}, last_landing = ${folder_landing})
SELECT
    messages.payload.user_exam_id AS attempt_id,
    messages.payload.base_exam_id AS exam_id,
    shown.position + 1 AS question_position,
    offered.position + 1 AS option_position,
    offered.choice.id AS option_id,
    offered.choice.checked AS is_checked,
    -- Absent means false, but only of an option that is there.
    CASE
        WHEN offered.choice IS NOT NULL THEN COALESCE(offered.choice.correct, FALSE)
    END AS is_correct,
    CASE
        WHEN offered.choice IS NOT NULL THEN COALESCE(offered.choice.submitted = 1, FALSE)
    END AS is_submitted,
    TO_UTC_TIMESTAMP(
        CAST(REGEXP_REPLACE(REGEXP_EXTRACT(offered.choice.`at`, CONCAT(
            '^(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}[Tt ]([01][0-9]|2[0-3])(:[0-5][0-9]){2}',
            '(?=[.Zz+-])([.][0-9]{1,6})?(?=[0-9]*([Zz]|[+-](0[0-9]|1[0-7]):?[0-5][0-9])\\z)'
        ), 0), '[Tt]', ' ') AS TIMESTAMP),
        CONCAT('GMT', REGEXP_EXTRACT(offered.choice.`at`, '[+-](0[0-9]|1[0-7]):?[0-5][0-9]\\z', 0))
    ) AS clicked_at,
    messages.kafka_partition,
    messages.kafka_offset,
    messages.landing
FROM
    raw.assessments_v1 AS messages
        LATERAL VIEW POSEXPLODE(messages.payload.sequences.questions) shown AS position, question
        LATERAL VIEW POSEXPLODE(shown.question.options) offered AS position, choice
WHERE messages.compaction = ${folder_compaction} AND messages.last_landing = ${folder_landing};

CREATE OR REPLACE VIEW flat.question_options AS
SELECT offered.*
FROM flat.message_options_v1 AS offered
CROSS JOIN ops.published AS published
LEFT JOIN flat.superseded_messages AS superseded
    ON
        offered.kafka_partition = superseded.kafka_partition
        AND offered.kafka_offset = superseded.kafka_offset
WHERE
    offered.landing <= published.landing
    AND superseded.kafka_offset IS NULL
    AND (
        offered.compaction = ${compaction}
        OR (offered.compaction = 0 AND offered.last_landing > ${compacted})
    );
