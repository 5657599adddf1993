-- flat.superseded_messages: one row per message that a newer message of its attempt replaced.
-- Reads: flat.messages_v1
-- Writes: flat.superseded_messages_v1, flat.superseded_messages
-- Grain: kafka_partition, kafka_offset
-- Parameters: warehouse_root text, folder_compaction integer, folder_landing integer,
--     compaction integer, compacted integer
-- Usage: ./warehouse beeline -f sql/2_flat/superseded_messages_v1.sql --hivevar folder_compaction=0
--     --hivevar folder_landing=1 --hivevar compaction=0 --hivevar compacted=0
--     --hivevar warehouse_root=hdfs://warehouse/warehouse
-- Newest: the message published last, then of the higher partition, then of the higher offset: an
--     offset of another partition says nothing about time.
-- Increments: a message is superseded by the landing that first brought a newer message of its
--     attempt, or by its own where a newer one was there before it. A partition holds what the
--     landings of one raw folder superseded. Later landings never change it.

CREATE DATABASE IF NOT EXISTS flat;

CREATE EXTERNAL TABLE IF NOT EXISTS flat.superseded_messages_v1 (
    kafka_partition INT COMMENT 'Kafka partition of the message that no longer counts',
    kafka_offset BIGINT COMMENT 'Its offset in that partition',
    attempt_id STRING COMMENT 'The attempt that it reports (user_exam_id)',
    landing BIGINT COMMENT 'The landing from which on it does not count'
)
COMMENT 'Messages that a newer message of the attempt replaced, one row per partition and offset'
PARTITIONED BY (
    compaction BIGINT COMMENT 'Compaction that lists the raw folder, 0 for a landing',
    last_landing BIGINT COMMENT 'Last landing of the raw folder'
)
STORED AS PARQUET
LOCATION '${warehouse_root}/flat/superseded_messages_v1'
TBLPROPERTIES ('parquet.compression' = 'ZSTD');

WITH folder AS (
    SELECT
        attempt_id,
        MIN(landing) AS first_landing
    FROM flat.messages_v1
    WHERE compaction = ${folder_compaction} AND last_landing = ${folder_landing}
    GROUP BY attempt_id
),

ranked AS (
    SELECT
        messages.kafka_partition,
        messages.kafka_offset,
        messages.attempt_id,
        messages.landing,
        folder.first_landing,
        MIN(messages.landing) OVER (
            PARTITION BY messages.attempt_id
            ORDER BY
                -- Without a time of publication a message is the oldest.
                COALESCE(messages.kafka_published_at, CAST('1970-01-01' AS TIMESTAMP)) DESC,
                messages.kafka_partition DESC,
                messages.kafka_offset DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS newer_landing
    FROM flat.messages_v1 AS messages
    INNER JOIN folder ON messages.attempt_id = folder.attempt_id
    WHERE
        messages.landing <= ${folder_landing}
        AND (
            messages.compaction = ${compaction}
            OR (messages.compaction = 0 AND messages.last_landing > ${compacted})
        )
)

INSERT OVERWRITE TABLE flat.superseded_messages_v1
PARTITION (compaction = ${folder_compaction}, last_landing = ${folder_landing})
SELECT
    kafka_partition,
    kafka_offset,
    attempt_id,
    GREATEST(landing, newer_landing) AS landing
FROM ranked
WHERE newer_landing IS NOT NULL AND GREATEST(landing, newer_landing) >= first_landing;

CREATE OR REPLACE VIEW flat.superseded_messages AS
SELECT superseded.*
FROM flat.superseded_messages_v1 AS superseded
CROSS JOIN ops.published AS published
WHERE
    superseded.landing <= published.landing
    AND (
        superseded.compaction = ${compaction}
        OR (superseded.compaction = 0 AND superseded.last_landing > ${compacted})
    );
