-- name: block_tape
-- description: The newest blocks, highest first: producer, evidence, and whether a reorganisation may still undo them
-- param chain String = bitcoin | chain
-- param limit UInt32 = 24 | rows
-- example: counterpoise sql --name block_tape --param limit=10
SELECT height, hash, time, status, provisional, pool, pool_name, method, conflict, source
FROM latest_blocks
WHERE chain = {chain:String}
ORDER BY height DESC, status DESC
LIMIT {limit:UInt32}
