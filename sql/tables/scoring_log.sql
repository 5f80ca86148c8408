-- Written by: streams
-- ORDER BY: one row a chain under a set.
CREATE TABLE IF NOT EXISTS scoring_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set',
    chain LowCardinality(String) COMMENT 'Chain',
    format String COMMENT 'Hash of what is stored of a height and of every metric that is summed up by day',
    to_height UInt32 COMMENT 'Heights up to this one are in that format',
    whole Bool COMMENT 'True where every height is, also those to come',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (attribution_id, chain)
COMMENT 'Which chains an older version scored, and how far `counterpoise rescore` has come; internal';
