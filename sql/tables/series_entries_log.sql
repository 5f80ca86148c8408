-- Written by: streams
-- ORDER BY: as series_log, then by list and owner.
CREATE TABLE IF NOT EXISTS series_entries_log
(
    series LowCardinality(String) COMMENT 'Series',
    catalogue_id LowCardinality(String) COMMENT 'Hash of the entry of the catalogue',
    list_id LowCardinality(String) COMMENT 'Include-list',
    owner String COMMENT 'Owner',
    counts Bool COMMENT 'Whether it counts',
    venue LowCardinality(String) COMMENT 'Where it runs by the list; empty where the list leaves that to the source',
    reason String COMMENT 'Why it counts, or does not',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, catalogue_id, list_id, owner)
COMMENT 'Who counts in each include-list, and why. Read the view series_entries';
