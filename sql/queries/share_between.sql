-- name: share_between
-- description: The top-4 share between two heights in stretches: value and interval at the end of each, lowest and highest inside
-- param from_height UInt32 = 0 | first height
-- param to_height UInt32 = 4294967295 | last height; the newest where it is above
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param points UInt32 = 360 | stretches at most
-- example: counterpoise sql --name share_between --param from_height=890000 --param to_height=892000
WITH
    (
        SELECT max(height) FROM latest_shares WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
    ) AS tip,
    least({to_height:UInt32}, tip) AS last_height,
    intDiv(greatest(toInt64(last_height) - {from_height:UInt32}, 0), {points:UInt32}) + 1 AS step
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
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
  AND height BETWEEN {from_height:UInt32} AND last_height AND n = {window:UInt16}
GROUP BY intDiv(last_height - height, step)
ORDER BY to_height
