-- name: window_comparison
-- description: Top-4 share of every window at one height, raw and entity side by side, with its interval: how much a short window is noise
-- param chain String = bitcoin | chain
-- param height UInt32 = 0 | height; 0 for the newest
-- example: counterpoise sql --name window_comparison --param height=900000
SELECT
    window_blocks,
    height,
    anyIf(n, view = 'raw') AS blocks,
    anyIf(top4_share, view = 'raw') AS raw_top4_share,
    anyIf(top4_share_low, view = 'raw') AS raw_low,
    anyIf(top4_share_high, view = 'raw') AS raw_high,
    anyIf(top4_share, view = 'entity') AS entity_top4_share,
    anyIf(top4_share_low, view = 'entity') AS entity_low,
    anyIf(top4_share_high, view = 'entity') AS entity_high
FROM concentration_shares
WHERE chain = {chain:String}
  AND height = if({height:UInt32} = 0, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String}), {height:UInt32})
GROUP BY window_blocks, height
ORDER BY window_blocks
