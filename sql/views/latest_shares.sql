-- Written by `make generate` from the metric specs and counterpoise/windows.py; edit those.
CREATE OR REPLACE VIEW latest_shares
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the row rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of the last block of the window, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip of the chain, both included; 1 at the tip',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Blocks of the window without a known producer; in n, in no pool',
    window_full Bool COMMENT 'True where n equals window_blocks',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window',
    leaders Array(Tuple(pool String, blocks UInt16)) COMMENT 'The largest pools (or entities), at most six, with their blocks, largest first',
    top1_share Float64 COMMENT 'Share of the largest pool of all n blocks, a lower bound: no unknown block is its own',
    top2_share Float64 COMMENT 'Share of the 2 largest of all n blocks, a lower bound: no unknown block is theirs',
    top3_share Float64 COMMENT 'Share of the 3 largest of all n blocks, a lower bound: no unknown block is theirs',
    top4_share Float64 COMMENT 'Share of the 4 largest of all n blocks, a lower bound: no unknown block is theirs',
    top5_share Float64 COMMENT 'Share of the 5 largest of all n blocks, a lower bound: no unknown block is theirs',
    top6_share Float64 COMMENT 'Share of the 6 largest of all n blocks, a lower bound: no unknown block is theirs',
    top1_share_upper Float64 COMMENT 'Upper bound of top1_share: every unknown block is its own',
    top2_share_upper Float64 COMMENT 'Upper bound of top2_share: every unknown block is theirs',
    top3_share_upper Float64 COMMENT 'Upper bound of top3_share: every unknown block is theirs',
    top4_share_upper Float64 COMMENT 'Upper bound of top4_share: every unknown block is theirs',
    top5_share_upper Float64 COMMENT 'Upper bound of top5_share: every unknown block is theirs',
    top6_share_upper Float64 COMMENT 'Upper bound of top6_share: every unknown block is theirs',
    top1_share_low Float64 COMMENT '2.5 % quantile of the share of this largest pool',
    top1_share_high Float64 COMMENT '97.5 % quantile of the share of this largest pool',
    top4_share_low Float64 COMMENT '2.5 % quantile of the share of these four pools',
    top4_share_high Float64 COMMENT '97.5 % quantile of the share of these four pools',
    p_top4_above_75 Float64 COMMENT 'Probability that these four pools hold more than 75 % of the hashrate'
)
AS SELECT attribution_id, chain, view, window_blocks, height, tip_hash, time, toUInt32(1) AS confirmations, toBool(1) AS provisional, n, unknown, window_full, pools_seen, leaders, top1_share, top2_share, top3_share, top4_share, top5_share, top6_share, top1_share_upper, top2_share_upper, top3_share_upper, top4_share_upper, top5_share_upper, top6_share_upper, top1_share_low, top1_share_high, top4_share_low, top4_share_high, p_top4_above_75
FROM concentration_latest_log FINAL
WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
ORDER BY chain, view, window_blocks
COMMENT 'What the largest hold: shares with their bounds and intervals, in the newest window of each chain, view and length';
