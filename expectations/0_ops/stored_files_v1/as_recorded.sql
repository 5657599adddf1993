-- as_recorded: files on HDFS are those that landings and builds recorded.
-- Severity: critical
-- Reason: Engines read all files of a folder. A foreign file is rows from nowhere, a
--     missing or shorter one is lost rows, and another checksum means changed rows.
-- Reads: ops.stored_files
-- Parameters: run_id identifier
-- Names: path
-- Usage: ./warehouse beeline -f expectations/0_ops/stored_files_v1/as_recorded.sql --hivevar
--     run_id=r1

SELECT
    path,
    recorded_bytes,
    stored_bytes,
    recorded_checksum,
    stored_checksum
FROM ops.stored_files
WHERE
    run_id = '${run_id}'
    AND (
        recorded_bytes IS NULL
        OR stored_bytes IS NULL
        OR recorded_bytes <> stored_bytes
        OR recorded_checksum IS NULL
        OR stored_checksum IS NULL
        OR recorded_checksum <> stored_checksum
    );
