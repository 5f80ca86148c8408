-- name: unknown_labels
-- description: Labels of replayed files that the registry lacks, with their blocks: a misspelt name counts as unknown
-- param chain String = bitcoin | chain
-- example: counterpoise sql --name unknown_labels
SELECT label, count() AS blocks, min(height) AS first_height, max(height) AS last_height
FROM blocks
WHERE chain = {chain:String} AND pool = 'unknown' AND label != ''
GROUP BY label
ORDER BY blocks DESC, label
