-- name: recompute_concentration
-- description: Counts of one window, counted again from the blocks beside what is stored, for the raw view: they must be equal
-- param chain String = bitcoin | chain
-- param height UInt32 = 0 | last height of the window; 0 for the newest
-- param window UInt16 = 1008 | trailing window in blocks
-- example: counterpoise sql --name recompute_concentration --param height=900000
WITH
    if({height:UInt32} = 0, (SELECT max(height) FROM latest_concentration WHERE chain = {chain:String}), {height:UInt32}) AS last
SELECT
    last AS height,
    sum(blocks) AS counted_n,
    sumIf(blocks, pool = 'unknown') AS counted_unknown,
    countIf(pool != 'unknown') AS counted_pools,
    arraySlice(arrayReverseSort(groupArrayIf(blocks, pool != 'unknown')), 1, 6) AS counted_leaders,
    sumIf(blocks * blocks, pool != 'unknown') AS counted_s2,
    any(s.n) AS stored_n,
    any(s.unknown) AS stored_unknown,
    any(s.pools_seen) AS stored_pools,
    any(arrayMap(x -> x.2, s.leaders)) AS stored_leaders,
    any(s.s2) AS stored_s2,
    (counted_n, counted_unknown, counted_pools, counted_s2) = (stored_n, stored_unknown, stored_pools, stored_s2)
        AND arrayMap(x -> toUInt64(x), counted_leaders) = arrayMap(x -> toUInt64(x), stored_leaders) AS equal
FROM
(
    SELECT pool, count() AS blocks
    FROM blocks
    WHERE chain = {chain:String} AND height > toInt64(last) - {window:UInt16} AND height <= last
    GROUP BY pool
) AS counted
CROSS JOIN
(
    SELECT n, unknown, pools_seen, leaders, s2
    FROM concentration
    WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = {window:UInt16} AND height = last
) AS s
