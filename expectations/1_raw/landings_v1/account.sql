-- account: the account of each landing adds up, and it starts where the previous one ended.
-- Severity: critical
-- Reason: Offsets = accepted - replayed + rejected + erased + without a message. A gap that is not
--     counted as lost is messages never landed, an overlap is messages landed twice.
-- Reads: raw.landings
-- Parameters: landing integer
-- Usage: ./warehouse beeline -f expectations/1_raw/landings_v1/account.sql --hivevar
--     landing=1

SELECT
    kafka_topic,
    kafka_partition,
    landing,
    previous_end_offset,
    lost_count,
    start_offset,
    end_offset,
    accepted_count,
    rejected_count,
    absent_count,
    erased_count,
    replayed_count,
    row_count
FROM (
    SELECT
        *,
        SIZE(replayed_offsets) AS replayed_count,
        LAG(end_offset) OVER (
            PARTITION BY kafka_topic, kafka_partition ORDER BY landing
        ) AS previous_end_offset,
        COUNT(*) OVER (PARTITION BY kafka_topic, kafka_partition, landing) AS row_count
    FROM raw.landings
    WHERE landing <= ${landing}
) AS landings
WHERE
    row_count > 1
    OR start_offset > end_offset
    OR start_offset <> previous_end_offset + lost_count
    OR end_offset - start_offset
    <> accepted_count - replayed_count + rejected_count + absent_count
    + COALESCE(erased_count, 0); -- landings of before the first erasure lack it
