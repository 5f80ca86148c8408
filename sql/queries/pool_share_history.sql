-- name: pool_share_history
-- description: Share of one pool in the trailing window, at every step-th height and at the newest
-- param pool String = foundry-usa | pool, by its slug (see the view pool_names)
-- param chain String = bitcoin | chain
-- param window UInt16 = 1008 | trailing window in blocks
-- param step UInt32 = 1008 | heights between two rows
-- example: counterpoise sql --name pool_share_history --param pool=antpool --param step=144
SELECT height, time, blocks, n, unknown, share, share_upper
FROM share_history(pool = {pool:String}, window = {window:UInt16})
WHERE chain = {chain:String}
  AND NOT throwIf({pool:String} NOT IN (SELECT slug FROM pool_names) AND (SELECT count() FROM pool_names) > 0, 'no pool has this slug: counterpoise pools list, or the view pool_names, shows them')
  AND (height % {step:UInt32} = 0 OR height = (SELECT max(height) FROM blocks WHERE chain = {chain:String}))
ORDER BY height
