-- name: pool_runs
-- description: The longest runs of blocks in a row by one pool in the newest blocks, and how probable one as long is by chance
-- param pool String = foundry-usa | pool, by its slug (see the view pool_names)
-- param chain String = bitcoin | chain
-- param blocks UInt32 = 52560 | how many heights, from the newest down
-- param limit UInt16 = 5 | runs at most
-- example: counterpoise sql --name pool_runs --param pool=antpool --param blocks=4320
WITH (SELECT max(height) FROM latest_blocks WHERE chain = {chain:String}) AS tip
SELECT
    run_blocks, from_height, to_height, to_time, blocks, n,
    -- Runs as long or longer to expect by chance, and the probability of one: Feller, An Introduction to Probability Theory I, XIII.7.
    -- It is asymptotic (docs/methodology.md); NULL for a share so large that it has no second root.
    pow(share, run_blocks) * (1 + (n - run_blocks) * (1 - share)) AS expected,
    if(run_blocks = n, 1, if(share * (run_blocks + 1) >= run_blocks, NULL, 1 - (1 - share * root) / ((run_blocks + 1 - run_blocks * root) * (1 - share)) * pow(root, -toFloat64(n) - 1))) AS probability
FROM
(
    SELECT
        run_blocks, from_height, to_height, to_time, sum(run_blocks) OVER () AS blocks, n, blocks / n AS share,
        arrayFold((x, i) -> 1 + (1 - share) * pow(share, run_blocks) * pow(x, run_blocks + 1), range(64), toFloat64(1)) AS root
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
)
ORDER BY run_blocks DESC, from_height
LIMIT {limit:UInt16}
