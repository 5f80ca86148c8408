-- name: pool_contents
-- description: Empty blocks, transactions, weight and fees of a window by pool. The share of empty blocks has its 95 % interval (Wilson); blocks whose source lacks the figure are left out of it
-- param chain String = bitcoin | chain
-- param window UInt32 = 4320 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the window; the newest where it is above
-- example: counterpoise sql --name pool_contents --param window=1008
WITH
    least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height,
    1.959963984540054 AS z
SELECT
    pool, min(b.height) AS from_height, max(b.height) AS to_height, count() AS blocks,
    count(transactions) AS blocks_with_transactions,
    countIf(transactions = 1) AS empty_blocks,
    if(blocks_with_transactions = 0, NULL, empty_blocks / blocks_with_transactions) AS empty_share,
    if(blocks_with_transactions = 0, NULL, greatest((empty_share + z * z / (2 * blocks_with_transactions)
        - z * sqrt(empty_share * (1 - empty_share) / blocks_with_transactions + pow(z / (2 * blocks_with_transactions), 2)))
        / (1 + z * z / blocks_with_transactions), 0)) AS empty_share_low,
    if(blocks_with_transactions = 0, NULL, least((empty_share + z * z / (2 * blocks_with_transactions)
        + z * sqrt(empty_share * (1 - empty_share) / blocks_with_transactions + pow(z / (2 * blocks_with_transactions), 2)))
        / (1 + z * z / blocks_with_transactions), 1)) AS empty_share_high,
    avg(transactions) AS mean_transactions, avg(size_bytes) AS mean_size_bytes, avg(weight) AS mean_weight,
    count(fees_sats) AS blocks_with_fees, avg(fees_sats) AS mean_fees_sats
FROM blocks AS b
WHERE chain = {chain:String} AND height <= last_height AND height + {window:UInt32} > last_height
GROUP BY pool
ORDER BY blocks DESC, pool
