-- name: blocks_by_hour
-- description: Blocks of each hour of the day (header time, UTC), with the part that no pool signed
-- param chain String = bitcoin | chain of the blocks
-- example: counterpoise sql --name blocks_by_hour --param chain=litecoin
SELECT toHour(time) AS hour, count() AS blocks, countIf(pool = 'unknown') / count() AS unknown_ratio
FROM blocks
WHERE chain = {chain:String}
GROUP BY hour
ORDER BY hour
