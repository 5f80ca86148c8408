-- name: template_makers
-- description: Who made the block templates of a window: the template maker where the coinbase names one (DATUM of OCEAN), else the pool. Shares of all blocks, HHI, and the block interval if one stops
-- param chain String = bitcoin | chain
-- param window UInt32 = 4320 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the window; the newest where it is above
-- param limit UInt32 = 20 | rows
-- example: counterpoise sql --name template_makers
WITH
    least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height
SELECT
    row_number() OVER (ORDER BY blocks DESC, maker) AS rank,
    maker, pools,
    blocks, n, unknown, blocks / n AS share,
    sum(blocks) OVER (ORDER BY blocks DESC, maker ROWS UNBOUNDED PRECEDING) / n AS top_share,
    sum(blocks * blocks) OVER () / pow(n, 2) AS hhi,
    1 / (1 - share) AS stop_interval_ratio,
    from_height, to_height
FROM
(
    SELECT if(empty(template_builder), pool, template_builder) AS maker, arraySort(groupUniqArray(pool)) AS pools,
        count() AS blocks, maker = 'unknown' OR empty(maker) AS is_unknown,
        sum(blocks) OVER () AS n, sumIf(blocks, is_unknown) OVER () AS unknown,
        min(min(height)) OVER () AS from_height, max(max(height)) OVER () AS to_height
    FROM blocks
    WHERE chain = {chain:String} AND height <= last_height AND height + {window:UInt32} > last_height
    GROUP BY maker
)
WHERE NOT is_unknown
ORDER BY rank
LIMIT {limit:UInt32}
