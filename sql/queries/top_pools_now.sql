-- name: top_pools_now
-- description: The largest pools at the newest height, at most six
-- param view String = raw | raw (pools) or entity (owners and proxies)
-- param window UInt16 = 1008 | trailing window in blocks
-- example: counterpoise sql --name top_pools_now --param window=2016
SELECT chain, rank, pool, blocks, share, n, unknown, height, time
FROM top_pools(view = {view:String}, window = {window:UInt16})
ORDER BY chain, rank
