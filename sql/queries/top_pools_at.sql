-- name: top_pools_at
-- description: The largest pools of the window that ends at one height, at most six
-- param chain String = bitcoin | chain
-- param view String = raw | raw (pools) or entity (owners and proxies)
-- param window UInt16 = 1008 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the window; the newest where it is above
-- example: counterpoise sql --name top_pools_at --param height=840000
WITH least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height
SELECT t.chain AS chain, t.rank AS rank, t.pool AS pool, if(empty(p.name), t.pool, p.name) AS name, t.blocks AS blocks,
    t.blocks / t.n AS share, t.n AS n, t.unknown AS unknown, t.height AS height, t.time AS time
FROM
(
    SELECT chain, attribution_id, n, unknown, height, time, leader.1 AS pool, leader.2 AS blocks,
        row_number() OVER (ORDER BY blocks DESC, pool) AS rank
    FROM concentration_shares
    ARRAY JOIN leaders AS leader
    WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND height = last_height
) AS t
LEFT JOIN (SELECT attribution_id, slug, name FROM pool_names WHERE view = {view:String}) AS p
    ON t.attribution_id = p.attribution_id AND t.pool = p.slug
ORDER BY rank
