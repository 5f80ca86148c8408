-- Written by: streams
-- ORDER BY: one row a set.
CREATE TABLE IF NOT EXISTS attribution_sets_log
(
    attribution_id String COMMENT 'Version of registry and entity map',
    document String COMMENT 'What the set was computed with, as JSON: registry, entity map, their versions and hashes',
    created_at DateTime64(3, 'UTC') COMMENT 'When the set was first computed',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY attribution_id
COMMENT 'Every attribution set that was computed. Read the view attribution_sets';
