-- name: pool_shares_recent
-- description: Share of each of the six largest pools at every step-th height down from the newest
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param blocks UInt32 = 4320 | how many heights, from the newest down
-- param step UInt32 = 144 | heights between two rows
-- param height UInt32 = 4294967295 | last block; the newest where it is above
-- example: counterpoise sql --name pool_shares_recent --param blocks=1008
WITH
    least({height:UInt32}, (
        SELECT max(height) FROM latest_shares WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
    )) AS tip
SELECT leader.1 AS pool, height, time, leader.2 AS blocks, n, leader.2 / n AS share
FROM concentration_shares
ARRAY JOIN leaders AS leader
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
  AND height BETWEEN toUInt32(greatest(toInt64(tip) - {blocks:UInt32}, 0)) AND tip AND (tip - height) % {step:UInt32} = 0
ORDER BY pool, height
