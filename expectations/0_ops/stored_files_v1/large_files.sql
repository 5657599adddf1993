-- large_files: no folder holds many small files.
-- Severity: warning
-- Reason: A small file costs a reader more to open than to read, and the NameNode as much
--     memory as a large one. Above 16 files in a folder, a file should hold 32 MB on average.
--     ./warehouse compact merges small files.
-- Reads: ops.stored_files
-- Parameters: run_id identifier
-- Names: folder
-- Usage: ./warehouse beeline -f expectations/0_ops/stored_files_v1/large_files.sql --hivevar
--     run_id=r1

SELECT
    folder,
    COUNT(*) AS file_count,
    SUM(stored_bytes) AS folder_bytes
FROM (
    SELECT
        stored_bytes,
        REGEXP_REPLACE(path, '/[^/]*$', '') AS folder
    FROM ops.stored_files
    WHERE run_id = '${run_id}' AND stored_bytes IS NOT NULL
) AS files
GROUP BY folder
HAVING COUNT(*) > 16 AND SUM(stored_bytes) < COUNT(*) * 33554432;
