-- name: entity_minus_raw
-- description: What the map of owners and proxies adds: top-4 share, HHI and Nakamoto number of both views at every step-th height, and their difference
-- param chain String = bitcoin | chain
-- param window UInt16 = 1008 | trailing window in blocks
-- param step UInt32 = 4320 | heights between two rows
-- example: counterpoise sql --name entity_minus_raw --param step=1008
SELECT
    height,
    any(time) AS time,
    anyIf(top4_share, view = 'raw') AS raw_top4_share,
    anyIf(top4_share, view = 'entity') AS entity_top4_share,
    entity_top4_share - raw_top4_share AS top4_difference,
    anyIf(hhi_10000, view = 'raw') AS raw_hhi_10000,
    anyIf(hhi_10000, view = 'entity') AS entity_hhi_10000,
    anyIf(nakamoto_half, view = 'raw') AS raw_nakamoto_half,
    anyIf(nakamoto_half, view = 'entity') AS entity_nakamoto_half
FROM concentration
WHERE chain = {chain:String} AND window_blocks = {window:UInt16} AND window_full AND height % {step:UInt32} = 0
GROUP BY height
ORDER BY height
