-- name: pools_moved
-- description: Which pools gained and lost most between two spans of time: share of the blocks of each, and the change, largest first
-- param chain String = bitcoin | chain
-- param from_day Date = 2024-01-01 | first day of the span before (UTC, header time)
-- param change_day Date = 2025-01-01 | first day of the span after; the span before ends here
-- param to_day Date = 2026-01-01 | the span after ends before this day
-- param limit UInt32 = 20 | rows
-- example: counterpoise sql --name pools_moved --param from_day=2025-01-01 --param change_day=2025-07-01 --param to_day=2026-01-01
SELECT
    pool,
    countIf(toDate(time) < {change_day:Date}) AS blocks_before,
    countIf(toDate(time) >= {change_day:Date}) AS blocks_after,
    blocks_before / sum(blocks_before) OVER () AS share_before,
    blocks_after / sum(blocks_after) OVER () AS share_after,
    share_after - share_before AS change
FROM blocks
WHERE chain = {chain:String} AND toDate(time) >= {from_day:Date} AND toDate(time) < {to_day:Date}
GROUP BY pool
ORDER BY abs(change) DESC, pool
LIMIT {limit:UInt32}
