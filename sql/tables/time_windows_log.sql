-- Windows of time as integers: what the last day, week, month and year held, at the first block after each full UTC hour.
-- Written by: streams
-- ORDER BY: a question names set, chain, view and span and asks for a range of heights, so the heights of one series lie together.
-- is_deleted is the tombstone of a height that a reorganisation undid, or whose new block does not pass an hour.
CREATE TABLE IF NOT EXISTS time_windows_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the counts rest on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    span_days UInt16 COMMENT 'Length of the trailing window in days of 86,400 seconds: 1, 7, 30 or 365',
    height UInt32 COMMENT 'Height of the last block of the window, the first one after a full hour',
    tip_hash FixedString(32) COMMENT 'Hash of the last block of the window, 32 raw bytes',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window, later than that of every block below',
    from_height UInt32 COMMENT 'Height of the first block of the window',
    n UInt32 COMMENT 'Blocks in the window',
    unknown UInt32 COMMENT 'Blocks of the window without a known producer',
    window_full Bool COMMENT 'True where the blocks stored reach back to the start of the window',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window; unknown is not one',
    c1 UInt32 COMMENT 'Blocks of the largest pool',
    c2 UInt32 COMMENT 'Blocks of the second largest pool',
    c3 UInt32 COMMENT 'Blocks of the third largest pool',
    c4 UInt32 COMMENT 'Blocks of the fourth largest pool',
    c5 UInt32 COMMENT 'Blocks of the fifth largest pool',
    c6 UInt32 COMMENT 'Blocks of the sixth largest pool',
    l1 UInt16 COMMENT 'Code of the largest pool (pool_names); 0 where there is none',
    l2 UInt16 COMMENT 'Code of the second largest pool',
    l3 UInt16 COMMENT 'Code of the third largest pool',
    l4 UInt16 COMMENT 'Code of the fourth largest pool',
    l5 UInt16 COMMENT 'Code of the fifth largest pool',
    l6 UInt16 COMMENT 'Code of the sixth largest pool',
    s2 UInt64 COMMENT 'Sum over the pools of count squared',
    nakamoto_one_third UInt16 COMMENT 'Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not',
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not',
    work1 Float64 COMMENT 'Share of the largest pool (by blocks) of the work of all n blocks; NaN but for the year',
    work2 Float64 COMMENT 'Share of the work of the second largest pool',
    work3 Float64 COMMENT 'Share of the work of the third largest pool',
    work4 Float64 COMMENT 'Share of the work of the fourth largest pool',
    work5 Float64 COMMENT 'Share of the work of the fifth largest pool',
    work6 Float64 COMMENT 'Share of the work of the sixth largest pool',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where no row stands at this height any more'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (attribution_id, chain, view, span_days, height)
COMMENT 'Integers of the windows of time, once an hour. Read the view time_windows';
