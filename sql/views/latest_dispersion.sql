-- Written by `make generate` from the metric specs and counterpoise/windows.py; edit those.
CREATE OR REPLACE VIEW latest_dispersion
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
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1: sum of squared shares, unknown in the denominator (a lower bound)',
    hhi_10000 Float64 COMMENT 'The same in points, 0 to 10000',
    hhi_unbiased Float64 COMMENT 'Chance that two different blocks of the window are by one pool: free of the bias of small windows; NaN for one block',
    hhi_low Float64 COMMENT '2.5 % quantile of the index of the hashrate',
    hhi_high Float64 COMMENT '97.5 % quantile of the index of the hashrate',
    hhi_upper Float64 COMMENT 'Upper bound of hhi: every unknown block is of the largest pool',
    effective_pools_d2 Float64 COMMENT 'Effective number of pools of order 2: how many equal pools would have this index; attributed blocks only, NaN where there are none',
    effective_pools_d2_low Float64 COMMENT '2.5 % quantile of effective_pools_d2',
    effective_pools_d2_high Float64 COMMENT '97.5 % quantile of effective_pools_d2',
    effective_pools_d1 Float64 COMMENT 'Effective number of pools of order 1: exp(entropy_nats); attributed blocks only',
    entropy_bits Float64 COMMENT 'Shannon entropy in bits; attributed blocks only, NaN where there are none',
    entropy_nats Float64 COMMENT 'Shannon entropy in nats; attributed blocks only',
    entropy_normalised Float64 COMMENT 'Entropy over the largest that as many pools can have, 0 to 1; 0 for one pool',
    gini Float64 COMMENT 'Gini coefficient over the pools seen; attributed blocks only',
    theil_nats Float64 COMMENT 'Theil index over the pools seen, in nats: ln(pools_seen) - entropy_nats'
)
AS SELECT attribution_id, chain, view, window_blocks, height, tip_hash, time, toUInt32(1) AS confirmations, toBool(1) AS provisional, n, unknown, window_full, pools_seen, hhi, hhi_10000, hhi_unbiased, hhi_low, hhi_high, hhi_upper, effective_pools_d2, effective_pools_d2_low, effective_pools_d2_high, effective_pools_d1, entropy_bits, entropy_nats, entropy_normalised, gini, theil_nats
FROM concentration_latest_log FINAL
WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
ORDER BY chain, view, window_blocks
COMMENT 'How the blocks spread over all pools: indices, effective numbers, entropy, inequality, in the newest window of each chain, view and length';
