-- name: metric_series
-- description: The main metrics of one window at every step-th height: the time series for a notebook
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param from_height UInt32 = 0 | first height
-- param to_height UInt32 = 4294967295 | last height
-- param step UInt32 = 144 | heights between two rows
-- example: counterpoise sql --name metric_series --param step=1 --format parquet --out series.parquet
SELECT
    height, time, n, unknown, pools_seen, top1_share, top4_share, top4_share_upper, top4_share_low, top4_share_high, hhi, hhi_low, hhi_high,
    effective_pools_d2, effective_pools_d1, entropy_normalised, gini, theil_nats, nakamoto_one_third, nakamoto_half
FROM concentration
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
  AND height BETWEEN {from_height:UInt32} AND {to_height:UInt32} AND height % {step:UInt32} = 0
ORDER BY height
