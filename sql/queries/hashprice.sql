-- name: hashprice
-- description: What one PH/s of hashrate earns a day in a window of blocks, in coins (BTC): subsidy, fees, and the part of fees. Without a real header there is no difficulty
-- param chain String = bitcoin | chain
-- param window UInt32 = 1008 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the window; the newest where it is above
-- param first_sats UInt64 = 5000000000 | what the first blocks of the chain created, in satoshis
-- param halving_blocks UInt32 = 210000 | blocks between two halvings
-- example: counterpoise sql --name hashprice --param window=144
WITH least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height
SELECT
    min(b.block_height) AS from_height, max(b.block_height) AS height, argMax(b.block_time, b.block_height) AS time,
    count() AS blocks, countIf(fees_sats IS NOT NULL) AS blocks_with_fees,
    avg(subsidy) AS mean_subsidy_sats, avg(fees_sats) AS mean_fees_sats,
    sum(fees_sats) / (sum(fees_sats) + sumIf(subsidy, fees_sats IS NOT NULL)) AS fee_share,
    if(argMax(synthetic, b.block_height), NULL,
        argMax(65535 / bitAnd(bits, 8388607) * exp2(8 * (29 - toInt32(bitShiftRight(bits, 24)))), b.block_height)) AS difficulty,
    8.64e19 * mean_subsidy_sats / 1e8 / (difficulty * exp2(32)) AS hashprice_of_subsidy_btc,
    8.64e19 * (mean_subsidy_sats + mean_fees_sats) / 1e8 / (difficulty * exp2(32)) AS hashprice_btc,
    countIf(synthetic) AS synthetic_blocks
FROM
(
    SELECT height AS block_height, time AS block_time, bits, fees_sats, synthetic,
        if(height < 63 * {halving_blocks:UInt32}, bitShiftRight({first_sats:UInt64}, intDiv(height, {halving_blocks:UInt32})), 0) AS subsidy
    FROM blocks
    WHERE chain = {chain:String} AND height <= last_height AND height + {window:UInt32} > last_height
) AS b
HAVING blocks > 0
