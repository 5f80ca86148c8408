-- name: attribution_conflicts
-- description: Blocks whose payout address and coinbase tag point to different pools, newest first, with the evidence
-- param chain String = bitcoin | chain
-- param limit UInt32 = 100 | rows
-- example: counterpoise sql --name attribution_conflicts --param limit=10
SELECT height, hash, pool, method, matched, candidates, template_builder
FROM attributions
WHERE chain = {chain:String} AND conflict
ORDER BY height DESC
LIMIT {limit:UInt32}
