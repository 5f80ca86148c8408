-- name: pool_table
-- description: Blocks, share and rank of each pool in the newest window, and in windows that ended before: 1,008 and 4,320 blocks, and one retarget
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block; the newest where it is above
-- param retarget UInt32 = 2016 | how many blocks before rank_then is
-- example: counterpoise sql --name pool_table --param view=entity
WITH
    least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String} AND window_blocks = {window:UInt16})) AS tip,
    rows_then AS
    (
        SELECT attribution_id, height, time, n, leader.1 AS pool, leader.2 AS blocks, rank,
            countIf(height = tip - {retarget:UInt32}) OVER () > 0 AS known_then
        FROM concentration_shares
        ARRAY JOIN leaders AS leader, arrayEnumerate(leaders) AS rank
        WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
          AND height IN
          (
              tip, toUInt32(greatest(toInt64(tip) - 1008, 0)), toUInt32(greatest(toInt64(tip) - {retarget:UInt32}, 0)),
              toUInt32(greatest(toInt64(tip) - 4320, 0))
          )
    )
SELECT
    r.pool AS pool,
    if(empty(any(p.name)), pool, any(p.name)) AS name,
    anyIf(blocks, height = tip) AS blocks_now,
    anyIf(n, height = tip) AS n_now,
    anyIf(blocks / n, height = tip) AS share_now,
    anyOrNullIf(blocks / n, height = tip - 1008) AS share_week_before,
    anyOrNullIf(blocks / n, height = tip - 4320) AS share_month_before,
    anyIf(rank, height = tip) AS rank_now,
    anyOrNullIf(rank, height = tip - {retarget:UInt32}) AS rank_then,
    any(known_then) AS window_then,
    tip AS to_height,
    maxIf(r.time, r.height = tip) AS to_time
FROM rows_then AS r
LEFT JOIN (SELECT attribution_id, slug, name FROM pool_names WHERE view = {view:String}) AS p
    ON r.attribution_id = p.attribution_id AND r.pool = p.slug
GROUP BY pool
HAVING blocks_now > 0
ORDER BY rank_now
