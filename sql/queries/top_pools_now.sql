-- name: top_pools_now
-- description: The largest pools at the newest height, at most six
-- param view String = raw | raw (pools) or entity (owners and proxies)
-- param window UInt16 = 1008 | trailing window in blocks
-- example: counterpoise sql --name top_pools_now --param window=2016
SELECT t.chain AS chain, t.rank AS rank, t.pool AS pool, if(empty(p.name), t.pool, p.name) AS name, t.blocks AS blocks, t.share AS share,
    t.n AS n, t.unknown AS unknown, t.height AS height, t.time AS time
FROM top_pools(view = {view:String}, window = {window:UInt16}) AS t
LEFT JOIN (SELECT attribution_id, slug, name FROM pool_names WHERE view = {view:String}) AS p
    ON t.attribution_id = p.attribution_id AND t.pool = p.slug
ORDER BY chain, rank
