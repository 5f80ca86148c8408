-- name: monthly_top4
-- description: Share of the four largest pools of each calendar month (header time, UTC), counted from its blocks, with the bounds that unknown blocks leave
-- param chain String = bitcoin | chain
-- example: counterpoise sql --name monthly_top4
SELECT
    month,
    sum(blocks) AS n,
    sumIf(blocks, pool = 'unknown') AS unknown,
    arraySum(arraySlice(arrayReverseSort(groupArrayIf(blocks, pool != 'unknown')), 1, 4)) / n AS top4_share,
    top4_share + unknown / n AS top4_share_upper,
    arrayMap(x -> x.2, arraySlice(arraySort(x -> (-x.1, x.2), groupArrayIf((toInt64(blocks), pool), pool != 'unknown')), 1, 4)) AS pools
FROM
(
    SELECT toStartOfMonth(time) AS month, pool, count() AS blocks
    FROM blocks
    WHERE chain = {chain:String}
    GROUP BY month, pool
)
GROUP BY month
ORDER BY month
