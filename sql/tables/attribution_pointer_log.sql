-- Written by: streams
-- ORDER BY: one row a chain; flipping a chain to another set is one insert.
CREATE TABLE IF NOT EXISTS attribution_pointer_log
(
    chain LowCardinality(String) COMMENT 'Chain',
    attribution_id String COMMENT 'Set that is current on this chain',
    flipped_at DateTime64(3, 'UTC') COMMENT 'When it became current',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY chain
COMMENT 'Which attribution set is current on each chain. Read the view attribution_sets';
