-- A forecast a day (144 blocks) of the four leaders' share of the next 1,008 blocks, and the outcome of the one of 1,008 blocks ago.
-- Written by: streams
-- ORDER BY: a question names set, chain and view and asks for a range of heights.
-- is_deleted is the tombstone of a height that a reorganisation undid.
CREATE TABLE IF NOT EXISTS share_forecasts_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the forecast rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    height UInt32 COMMENT 'Height at which it was made, divisible by 144',
    tip_hash FixedString(32) COMMENT 'Hash of that block, 32 raw bytes',
    time DateTime64(3, 'UTC') COMMENT 'Header time of that block',
    leaders Array(UInt16) COMMENT 'Codes of the four leaders of the last 1,008 blocks: the set of the forecast',
    drift Float64 COMMENT 'Variance of the walk a block that it assumed',
    share Float64 COMMENT 'Their share of the hashrate then, from blocks weighed by age',
    low Float64 COMMENT '2.5 % quantile of their share of the next 1,008 blocks',
    high Float64 COMMENT '97.5 % quantile of their share of the next 1,008 blocks',
    above_75 Float64 COMMENT 'Chance that this share is above 75 %',
    outcome Float64 COMMENT 'Share of these 1,008 blocks of the leaders of 1,008 blocks ago; NaN where no forecast was made then',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where a reorganisation undid this height'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (attribution_id, chain, view, height)
COMMENT 'Daily forecasts of shares and their outcomes. Read the view share_forecasts';
