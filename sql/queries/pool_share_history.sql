-- name: pool_share_history
-- description: Share and rank of one pool in trailing windows over the whole history and at the newest height. At most so many windows are read
-- param pool String = foundry-usa | pool, by its slug (see the view pool_names)
-- param chain String = bitcoin | chain
-- param window UInt16 = 1008 | trailing window in blocks
-- param step UInt32 = 1008 | heights between two rows, or the least multiple of it that keeps to the number of rows
-- param points UInt16 = 120 | rows at most, and the newest
-- example: counterpoise sql --name pool_share_history --param pool=antpool --param step=144
WITH
    (SELECT max(height) FROM latest_blocks WHERE chain = {chain:String}) AS tip,
    ifNull((SELECT height FROM blocks_log WHERE chain = {chain:String} ORDER BY chain, height LIMIT 1), 0) AS lowest,
    {step:UInt32} * greatest(intDiv(tip - lowest + {step:UInt32} * {points:UInt16}, {step:UInt32} * {points:UInt16}), 1) AS stride,
    arrayDistinct(arrayPushBack(arrayMap(n -> toUInt32(n * stride), range(intDiv(lowest + stride - 1, stride), intDiv(tip, stride) + 1)), tip)) AS ends
SELECT
    end AS height,
    max(ended) AS time,
    sumIf(mined, pool = {pool:String}) AS blocks,
    sum(mined) AS n,
    sumIf(mined, pool = 'unknown') AS unknown,
    blocks / n AS share,
    (blocks + unknown) / n AS share_upper,
    if(blocks = 0, 0, 1 + arrayCount(one -> one.1 != 'unknown' AND one.2 > blocks, groupArray((pool, mined)))) AS rank
FROM
(
    SELECT end, b.pool AS pool, count() AS mined, maxIf(b.time, b.height = end) AS ended
    FROM
    (
        SELECT height, time, pool FROM blocks
        WHERE chain = {chain:String}
          AND height IN (SELECT arrayJoin(arrayFlatten(arrayMap(one -> range(toUInt32(greatest(toInt64(one) + 1 - {window:UInt16}, 0)), toUInt32(one + 1)), ends))))
    ) AS b
    ARRAY JOIN arrayFilter(one -> b.height <= one AND b.height + {window:UInt16} > one, ends) AS end
    GROUP BY end, pool
)
WHERE NOT throwIf({pool:String} NOT IN (SELECT slug FROM pool_names) AND (SELECT count() FROM pool_names) > 0, 'no pool has this slug: counterpoise pools list, or the view pool_names, shows them')
GROUP BY end
ORDER BY height
