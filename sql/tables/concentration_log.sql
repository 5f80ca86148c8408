-- Concentration as integers: what a trailing window of blocks held, at each height, for each window and view of each set.
-- Written by: streams
-- ORDER BY: a question names set, chain, view and window and asks for a range of heights, so the heights of one series lie together.
-- The index is eight times finer than usual: the questions are for one height or a short stretch of each series, not for all of it.
-- is_deleted is the tombstone of a height that a reorganisation undid and that no new block took.
CREATE TABLE IF NOT EXISTS concentration_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the counts rest on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash FixedString(32) COMMENT 'Hash of the last block of the window, 32 raw bytes',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window',
    n UInt16 COMMENT 'Blocks in the window; fewer than window_blocks near the first known block',
    unknown UInt16 COMMENT 'Blocks of the window without a known producer',
    window_full Bool COMMENT 'True where n equals window_blocks',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window; unknown is not one',
    c1 UInt16 COMMENT 'Blocks of the largest pool',
    c2 UInt16 COMMENT 'Blocks of the second largest pool',
    c3 UInt16 COMMENT 'Blocks of the third largest pool',
    c4 UInt16 COMMENT 'Blocks of the fourth largest pool',
    c5 UInt16 COMMENT 'Blocks of the fifth largest pool',
    c6 UInt16 COMMENT 'Blocks of the sixth largest pool',
    l1 UInt16 COMMENT 'Code of the largest pool (pool_names); 0 where there is none',
    l2 UInt16 COMMENT 'Code of the second largest pool',
    l3 UInt16 COMMENT 'Code of the third largest pool',
    l4 UInt16 COMMENT 'Code of the fourth largest pool',
    l5 UInt16 COMMENT 'Code of the fifth largest pool',
    l6 UInt16 COMMENT 'Code of the sixth largest pool',
    s2 UInt64 COMMENT 'Sum over the pools of count squared',
    s3 UInt64 COMMENT 'Sum over the pools of count cubed',
    s4 UInt64 COMMENT 'Sum over the pools of count to the fourth',
    gini_num Int64 COMMENT 'Sum over the pools, counts c ascending and ranks i from 1, of (2i - pools_seen - 1) c: the numerator of the Gini coefficient',
    sum_c_ln_c Float64 COMMENT 'Sum over the pools of c ln c',
    nakamoto_one_third UInt16 COMMENT 'Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not',
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not',
    top1_lo Float64 COMMENT '2.5 % quantile of the share of the largest pool',
    top1_hi Float64 COMMENT '97.5 % quantile of the share of the largest pool',
    top4_lo Float64 COMMENT '2.5 % quantile of the share of the four largest pools',
    top4_hi Float64 COMMENT '97.5 % quantile of the share of the four largest pools',
    p_top4_above_75 Float64 COMMENT 'Probability that these four hold more than 75 % of the hashrate',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where a reorganisation undid this height'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (attribution_id, chain, view, window_blocks, height)
SETTINGS index_granularity = 1024
COMMENT 'Integers of every trailing window at every height. Every metric is derived from them in the view concentration';
