-- name: block_tape
-- description: The newest heights, highest first, with every block that was seen there, or up to six above: producer, evidence, and how it stands
-- param chain String = bitcoin | chain
-- param limit UInt32 = 24 | heights
-- param height UInt32 = 4294967295 | last block; the newest where it is above
-- example: counterpoise sql --name block_tape --param limit=10
WITH least({height:UInt32}, (SELECT max(height) FROM latest_blocks WHERE chain = {chain:String})) AS tip
SELECT height, hash, time, toString(status) AS status, tip - height < 5 AS provisional, pool, pool_names.name AS pool_name,
    toString(method) AS method, conflict, source
FROM blocks_all
LEFT JOIN (SELECT slug, any(name) AS name FROM pool_names WHERE view = 'raw' GROUP BY slug) AS pool_names ON pool = pool_names.slug
WHERE chain = {chain:String} AND height > toInt64(tip) - {limit:UInt32} AND height <= least({height:UInt32}, tip + 6)
ORDER BY height DESC, blocks_all.status DESC, hash
