-- name: pool_runs
-- description: The longest runs of blocks in a row by one pool in the newest blocks, and how many of them it mined
-- param pool String = foundry-usa | pool, by its slug (see the view pool_names)
-- param chain String = bitcoin | chain
-- param blocks UInt32 = 52560 | how many heights, from the newest down
-- param limit UInt16 = 5 | runs at most
-- example: counterpoise sql --name pool_runs --param pool=antpool --param blocks=4320
WITH (SELECT max(height) FROM latest_blocks WHERE chain = {chain:String}) AS tip
SELECT run_blocks, from_height, to_height, to_time, sum(run_blocks) OVER () AS blocks, n
FROM
(
    SELECT count() AS run_blocks, min(height) AS from_height, max(height) AS to_height, argMax(time, height) AS to_time, any(heights) AS n
    FROM
    (
        SELECT height, time, heights, height - row_number() OVER (ORDER BY height) AS island
        FROM
        (
            SELECT height, time, pool, count() OVER () AS heights
            FROM blocks
            WHERE chain = {chain:String} AND height > toInt64(tip) - {blocks:UInt32} AND height <= tip
        )
        WHERE pool = {pool:String}
    )
    GROUP BY island
)
ORDER BY run_blocks DESC, from_height
LIMIT {limit:UInt16}
