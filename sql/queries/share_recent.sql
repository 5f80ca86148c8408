-- name: share_recent
-- description: The top-4 share of the newest heights in stretches: value and interval at the end of each, lowest and highest inside
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param blocks UInt32 = 4320 | how many heights, from the newest down
-- param points UInt32 = 360 | stretches at most
-- param height UInt32 = 4294967295 | last block; the newest where it is above
-- example: counterpoise sql --name share_recent --param blocks=144
WITH
    least({height:UInt32}, (
        SELECT max(height) FROM latest_shares WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
    )) AS tip,
    toUInt32(greatest(toInt64(tip) - {blocks:UInt32} + 1, 0)) AS lowest_height,
    intDiv({blocks:UInt32} - 1, {points:UInt32}) + 1 AS step
SELECT
    max(height) AS to_height,
    argMax(time, height) AS to_time,
    argMax(top4_share, height) AS share,
    argMax(top4_share_low, height) AS low,
    argMax(top4_share_high, height) AS high,
    min(top4_share) AS lowest,
    max(top4_share) AS highest,
    argMax(unknown / n, height) AS unknown_ratio
FROM concentration_shares
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND height BETWEEN lowest_height AND tip
  AND n = {window:UInt16}
GROUP BY intDiv(tip - height, step)
ORDER BY to_height
