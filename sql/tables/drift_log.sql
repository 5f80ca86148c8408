-- How fast the true value of each metric family walks, fitted at every height divisible by 2,016.
-- Written by: streams
-- ORDER BY: a question names set, chain, view and family and asks for the newest height.
-- is_deleted is the tombstone of a height that a reorganisation undid.
CREATE TABLE IF NOT EXISTS drift_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the fit rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    family LowCardinality(String) COMMENT 'top1 to top6: share of that many leaders; hhi',
    height UInt32 COMMENT 'Last block of the fit, divisible by 2,016',
    tip_hash FixedString(32) COMMENT 'Hash of that block, 32 raw bytes',
    from_height UInt32 COMMENT 'First block of the fit',
    pairs UInt16 COMMENT 'Pairs of adjoining windows of 2,016 blocks that it rests on; 0: the shipped constant',
    drift Float64 COMMENT 'Variance of the walk a block',
    change Float64 COMMENT 'Squared change between the two newest windows; NaN where no earlier window fixed the leaders',
    chance Float64 COMMENT 'The part of change that chance explains on average',
    leaders Array(UInt16) COMMENT 'Codes of the leaders of the newest window: the set of a later pair',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where a reorganisation undid this height'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (attribution_id, chain, view, family, height)
COMMENT 'Fitted drift of every metric family. Read the view drift';
