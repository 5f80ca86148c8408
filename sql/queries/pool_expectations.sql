-- name: pool_expectations
-- description: By pool, how the blocks of a window differ from those that mempool expected, with 95 % intervals of the means. A difference is no evidence of censorship
-- param chain String = bitcoin | chain
-- param window UInt32 = 4320 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the window; the newest where it is above
-- example: counterpoise sql --name pool_expectations
WITH
    least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height,
    1.959963984540054 AS z
SELECT
    pool, min(height) AS from_height, max(height) AS to_height, count() AS blocks, count(match_ratio) AS compared_blocks,
    avg(match_ratio) AS match_ratio_mean,
    if(compared_blocks < 2, NULL, greatest(match_ratio_mean - z * stddevSamp(match_ratio) / sqrt(compared_blocks), 0)) AS match_ratio_low,
    if(compared_blocks < 2, NULL, least(match_ratio_mean + z * stddevSamp(match_ratio) / sqrt(compared_blocks), 1)) AS match_ratio_high,
    avg(similarity_ratio) AS similarity_ratio_mean,
    count(fees_sats / nullIf(expected_fees_sats, 0)) AS blocks_with_fees,
    avg(fees_sats / nullIf(expected_fees_sats, 0)) AS fees_ratio_mean,
    fees_ratio_mean - z * stddevSamp(fees_sats / nullIf(expected_fees_sats, 0)) / sqrt(blocks_with_fees) AS fees_ratio_low,
    fees_ratio_mean + z * stddevSamp(fees_sats / nullIf(expected_fees_sats, 0)) / sqrt(blocks_with_fees) AS fees_ratio_high,
    avg(weight / nullIf(expected_weight, 0)) AS weight_ratio_mean
FROM
(
    SELECT pool, height, match_ratio, similarity_ratio, fees_sats, expected_fees_sats, weight, expected_weight
    FROM blocks
    WHERE chain = {chain:String} AND height <= last_height AND height + {window:UInt32} > last_height
)
GROUP BY pool
HAVING compared_blocks > 0
ORDER BY compared_blocks DESC, pool
