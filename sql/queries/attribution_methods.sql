-- name: attribution_methods
-- description: By which evidence blocks were attributed, month by month
-- param chain String = bitcoin | chain
-- example: counterpoise sql --name attribution_methods
SELECT
    toStartOfMonth(time) AS month,
    count() AS blocks,
    countIf(method = 'address') AS by_address,
    countIf(method = 'tag') AS by_tag,
    countIf(method = 'label') AS by_label,
    countIf(method = 'none') AS unknown,
    countIf(conflict) AS conflicts
FROM blocks
WHERE chain = {chain:String}
GROUP BY month
ORDER BY month
