-- name: concentration_now
-- description: Concentration at the newest height, for every window: shares with their bounds and interval, HHI, effective pools, Nakamoto numbers
-- param view String = raw | raw (pools) or entity (owners and proxies)
-- example: counterpoise sql --name concentration_now --param view=entity
SELECT
    chain, window_blocks, height, time, n, unknown, pools_seen,
    top1_share, top1_share_low, top1_share_high, top4_share, top4_share_upper, top4_share_low, top4_share_high, p_top4_above_75,
    hhi_10000, effective_pools_d2, nakamoto_one_third, nakamoto_half, provisional, attribution_id
FROM latest_concentration
WHERE view = {view:String}
ORDER BY chain, window_blocks
