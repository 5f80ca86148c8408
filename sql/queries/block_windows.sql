-- name: block_windows
-- description: Which windows a block moved: top-4 share, HHI and pools for a majority of every window at its height, and at the height before
-- param height UInt32 = 4294967295 | height of the block; the newest where it is above
-- param chain String = bitcoin | chain
-- example: counterpoise sql --name block_windows --param height=840000
WITH least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height
SELECT
    view, window_blocks,
    anyOrNullIf(top4_share, c.height = last_height - 1) AS top4_before,
    anyIf(top4_share, c.height = last_height) AS top4_after,
    top4_after - top4_before AS top4_change,
    anyOrNullIf(hhi_10000, c.height = last_height - 1) AS hhi_before,
    anyIf(hhi_10000, c.height = last_height) AS hhi_after,
    hhi_after - hhi_before AS hhi_change,
    anyOrNullIf(nakamoto_half, c.height = last_height - 1) AS majority_before,
    anyIf(nakamoto_half, c.height = last_height) AS majority_after,
    last_height AS to_height
FROM concentration AS c
WHERE chain = {chain:String} AND height IN (last_height, toUInt32(greatest(toInt64(last_height) - 1, 0)))
GROUP BY view, window_blocks
HAVING countIf(c.height = last_height) > 0
ORDER BY window_blocks, view
