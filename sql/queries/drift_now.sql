-- name: drift_now
-- description: The newest drift of each metric family: variance of the true value a block, and the blocks that it is fitted from
-- param chain String = bitcoin | chain
-- example: counterpoise sql --name drift_now
SELECT view, family, height, from_height, pairs, shipped, drift
FROM drift
WHERE chain = {chain:String}
ORDER BY height DESC
LIMIT 1 BY view, family
