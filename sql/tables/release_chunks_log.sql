-- What arrived about the AI side, as it came: the state of the fold, which applies all of it again after a restart.
-- Written by: streams
-- ORDER BY: a series is loaded whole; a chunk whose content differs from another of its place is a row of its own, because only the hash
-- of the whole release can say which one belongs to it. A row with `chunks` 0 says that the chunk was forgotten (decision 14).
CREATE TABLE IF NOT EXISTS release_chunks_log
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'SHA-256 of the content of the release, hexadecimal',
    withdrawn Bool COMMENT 'True for the withdrawal of the release',
    chunk UInt16 COMMENT 'Place of the chunk, from 0',
    chunks UInt16 COMMENT 'Chunks of the release',
    content_id String COMMENT 'SHA-256 of the event, hexadecimal',
    observations UInt32 COMMENT 'Observations in the chunk',
    event String COMMENT 'The event as JSON; fields that hold their default are left out' CODEC(ZSTD(3)),
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, release_id, withdrawn, chunk, content_id)
COMMENT 'Chunks and withdrawals of releases as they arrived. Read the views releases_all and incomplete_releases';
