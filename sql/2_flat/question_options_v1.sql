-- flat.question_options: one row per option offered with a question of an attempt.
-- Reads: flat.attempts_v1
-- Writes: flat.question_options_v1, flat.question_options
-- Grain: attempt_id, question_position, option_position
-- Parameters: warehouse_root text, build_id identifier, first_part identifier
-- Usage: ./warehouse beeline -f sql/2_flat/question_options_v1.sql --hivevar first_part=a
--     --hivevar build_id=b20261124T001502Z --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Increments: a build reads the parts of flat.attempts from `first_part` on, those that it or a
--     killed one before it wrote, and carries the others along. `a` reads all.
-- Nulls: a question without options has no row here. A null in place of an option keeps its row
--     and its position.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.question_options_v1 (
    attempt_id STRING COMMENT 'The attempt (user_exam_id)',
    question_position INT COMMENT 'Place of the question in the attempt as shown, from 1',
    option_position INT COMMENT 'Place of the option in the question as shown, from 1',
    option_id STRING COMMENT 'The option',
    is_checked BOOLEAN COMMENT 'Whether it was checked in the end, NULL where the message lacks it',
    is_correct BOOLEAN COMMENT 'Whether to check it is right (messages mark only these)',
    is_submitted BOOLEAN COMMENT 'Whether it was handed in (messages mark only these)',
    clicked_at TIMESTAMP COMMENT 'Last click by the clock of the client, UTC, NULL for never',
    started_date DATE COMMENT 'UTC day the attempt was started, NULL where that is unknown'
)
COMMENT 'Options of questions, one row per attempt_id, question_position and option_position'
PARTITIONED BY (
    build_id STRING COMMENT 'The build that the row belongs to',
    part STRING COMMENT 'The part of flat.attempts that its attempt is in',
    started_month STRING COMMENT 'Month of started_date, other where unknown or not of this century'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/question_options_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

INSERT OVERWRITE TABLE flat.question_options_v1
PARTITION (build_id = '${build_id}', part, started_month)
SELECT
    attempts.attempt_id,
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
    CAST(REPLACE(REGEXP_EXTRACT(offered.choice.`at`, CONCAT(
        '^(1[6-9]|[2-9][0-9])[0-9]{2}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}',
        '(?=[.Z])([.][0-9]{1,6})?(?=[0-9]*Z\\z)'
    ), 0), 'T', ' ') AS TIMESTAMP) AS clicked_at,
    attempts.started_date,
    attempts.part,
    attempts.started_month
FROM
    flat.attempts_v1 AS attempts
        LATERAL VIEW POSEXPLODE(attempts.questions) shown AS position, question
        LATERAL VIEW POSEXPLODE(shown.question.options) offered AS position, choice
WHERE attempts.build_id = '${build_id}' AND attempts.part >= '${first_part}';

CREATE OR REPLACE VIEW flat.question_options AS
SELECT * FROM flat.question_options_v1
WHERE build_id = (SELECT published.build_id FROM ops.published);
