-- name: top4_parts
-- description: What moved the top-4 share between two windows, by pool: its share of all blocks before and after, and its part. The parts sum to the change
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity: of an entity, a change of the entity map is in its part
-- param window UInt16 = 1008 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the later window; the newest where it is above
-- param seconds UInt32 = 604800 | how long before its header time the earlier window ends
-- example: counterpoise sql --name top4_parts --param view=entity --param seconds=2592000
WITH
    -- A share is NULL where a pool was not among the six largest.
    (
        SELECT (max(height), argMax(time, height)) FROM concentration_shares
        WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
          AND height = least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String}))
    ) AS last,
    (
        SELECT max(height) FROM concentration_shares
        WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = {window:UInt16}
          AND height < last.1 AND height >= toInt64(last.1) - intDiv({seconds:UInt32}, 75) - 144
          AND time <= last.2 - toIntervalSecond({seconds:UInt32})
    ) AS before_height
SELECT
    before_height AS from_height, last.1 AS to_height, leader.1 AS pool,
    anyOrNullIf(leader.2 / n, height = before_height) AS share_before,
    anyOrNullIf(leader.2 / n, height = to_height) AS share_after,
    sumIf(leader.2 / n, height = to_height AND rank <= 4) - sumIf(leader.2 / n, height = before_height AND rank <= 4) AS part
FROM concentration_shares
ARRAY JOIN leaders AS leader, arrayEnumerate(leaders) AS rank
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
  AND height IN (before_height, last.1) AND before_height > 0
GROUP BY pool
ORDER BY abs(part) DESC, pool
