-- name: months_above
-- description: Part of each month in which the top-4 share of the trailing window was above a line: lower and upper bound
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param line Float64 = 0.75 | the line
-- example: counterpoise sql --name months_above --param view=entity
SELECT
    toStartOfMonth(time) AS month,
    count() AS heights,
    countIf(top4_share > {line:Float64}) / heights AS above_ratio,
    countIf(top4_share_upper > {line:Float64}) / heights AS possibly_above_ratio,
    min(top4_share) AS lowest,
    max(top4_share) AS highest
FROM concentration_shares
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND window_full
GROUP BY month
ORDER BY month
