-- name: unknown_by_month
-- description: For each month how many blocks have no known producer: where it is high, every share is a loose lower bound
-- param chain String = bitcoin | chain
-- example: counterpoise sql --name unknown_by_month
SELECT toStartOfMonth(time) AS month, count() AS blocks, countIf(pool = 'unknown') AS unknown, unknown / blocks AS unknown_ratio
FROM blocks
WHERE chain = {chain:String}
GROUP BY month
ORDER BY month
