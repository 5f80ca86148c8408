-- name: concentration_at
-- description: Concentration at one height, for every window: what concentration_now gave when that block was the newest, under the current attribution
-- param chain String = bitcoin | chain
-- param view String = raw | raw (pools) or entity (owners and proxies)
-- param height UInt32 = 4294967295 | last block of the windows; the newest where it is above
-- example: counterpoise sql --name concentration_at --param height=840000
WITH least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height
SELECT
    chain, window_blocks, height, time, n, unknown, pools_seen,
    top1_share, top1_share_low, top1_share_high, top4_share, top4_share_upper, top4_share_low, top4_share_high, p_top4_above_75,
    hhi_10000, effective_pools_d2, nakamoto_one_third, nakamoto_half, provisional, attribution_id
FROM concentration
WHERE chain = {chain:String} AND view = {view:String} AND height = last_height
ORDER BY window_blocks
