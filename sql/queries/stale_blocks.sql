-- name: stale_blocks
-- description: Blocks that lost or whose parent is missing, newest first, with the block that stands at their height
-- param chain String = bitcoin | chain
-- param limit UInt32 = 100 | rows
-- example: counterpoise sql --name stale_blocks
SELECT lost.height AS height, lost.status AS status, lost.hash AS hash, lost.pool AS pool, lost.time AS time, won.hash AS canonical_hash, won.pool AS canonical_pool
FROM (SELECT * FROM blocks_all WHERE chain = {chain:String} AND status != 'canonical') AS lost
LEFT JOIN (SELECT height, hash, pool FROM blocks WHERE chain = {chain:String}) AS won ON lost.height = won.height
ORDER BY height DESC, hash
LIMIT {limit:UInt32}
