-- name: payout_addresses
-- description: Which addresses the coinbases of a window pay first: custody, where pools share one. Shares of all blocks, HHI, and the pools of each address
-- param chain String = bitcoin | chain
-- param window UInt32 = 4320 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the window; the newest where it is above
-- param limit UInt32 = 20 | rows
-- example: counterpoise sql --name payout_addresses --param window=1008
WITH
    least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height
SELECT
    row_number() OVER (ORDER BY blocks DESC, address) AS rank,
    address, pools,
    blocks, n, unknown, blocks / n AS share,
    sum(blocks) OVER (ORDER BY blocks DESC, address ROWS UNBOUNDED PRECEDING) / n AS top_share,
    sum(blocks * blocks) OVER () / pow(n, 2) AS hhi,
    1 / (1 - share) AS stop_interval_ratio,
    from_height, to_height
FROM
(
    SELECT payout_addresses[1] AS address, arraySort(groupUniqArray(pool)) AS pools,
        count() AS blocks, empty(address) AS is_unknown,
        sum(blocks) OVER () AS n, sumIf(blocks, is_unknown) OVER () AS unknown,
        min(min(height)) OVER () AS from_height, max(max(height)) OVER () AS to_height
    FROM blocks
    WHERE chain = {chain:String} AND height <= last_height AND height + {window:UInt32} > last_height
    GROUP BY address
)
WHERE NOT is_unknown
ORDER BY rank
LIMIT {limit:UInt32}
