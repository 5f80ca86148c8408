CREATE OR REPLACE VIEW incomplete_releases
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    chunks_here UInt16 COMMENT 'Chunks that have arrived',
    chunks UInt16 COMMENT 'Chunks that it has'
)
AS SELECT series, release_id, toUInt16(uniqExact(chunk)) AS chunks_here, max(c.chunks) AS chunks
FROM (SELECT * FROM release_chunks_log FINAL) AS c
WHERE NOT withdrawn AND c.chunks > 0 AND (series, release_id) NOT IN (SELECT series, release_id FROM releases_log)
GROUP BY series, release_id
COMMENT 'Releases that wait for chunks, or whose chunks do not hash to their name';
