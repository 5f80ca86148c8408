-- name: block_evidence
-- description: One block by its hash: what it showed, how it stands, and the evidence of its producer
-- param hash String = '' | block hash, 64 hexadecimal digits; empty for the newest block of the chain
-- param chain String = bitcoin | chain of the newest block; a hash is of any chain
-- example: counterpoise sql --name block_evidence --param hash=00000000000000000002a7c4c1e48d76c5a37902165a270156b7a8d72728a054
SELECT
    chain, height, hash, prev_hash, time, toString(status) AS status, pool, toString(method) AS method, conflict, template_builder,
    attribution_id, hex(coinbase_script) AS coinbase_script_hex, payout_addresses, label, fees_sats, source, synthetic, seen_at,
    transactions, size_bytes, weight, match_ratio, similarity_ratio, expected_fees_sats, expected_weight
FROM blocks_all
WHERE hash = if({hash:String} = '', (SELECT argMax(hash, height) FROM latest_blocks WHERE chain = {chain:String}), {hash:String})
ORDER BY chain
