-- unique_offsets: each offset has one row.
-- Severity: critical
-- Reason: A message in two rows was landed or read twice.
-- Reads: candidate.messages
-- Parameters: since integer
-- Usage: ./warehouse beeline -f expectations/2_flat/messages_v1/unique_offsets.sql --hivevar
--     since=0

SELECT
    kafka_topic,
    kafka_partition,
    kafka_offset,
    COUNT(*) AS row_count
FROM candidate.messages
WHERE landing > ${since} AND last_landing > ${since}
GROUP BY kafka_topic, kafka_partition, kafka_offset
HAVING COUNT(*) > 1;
