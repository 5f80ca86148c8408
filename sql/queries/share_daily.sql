-- name: share_daily
-- description: The top-4 share by UTC day: value and interval at the end of each day, and the lowest and highest of the day
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param since Date = 1970-01-01 | first UTC day
-- param height UInt32 = 4294967295 | a day counts where its last block is at or below it
-- example: counterpoise sql --name share_daily --param since=2025-01-01
SELECT
    max(d.to_height) AS to_height,
    -- The end of the day, and of a day that goes on the newest block.
    least(toDateTime64(day + 1, 3, 'UTC') - toIntervalMillisecond(1), (SELECT max(time) FROM latest_shares WHERE chain = {chain:String})) AS to_time,
    maxIf(d.last, metric = 'top4_share') AS share,
    maxIf(d.last, metric = 'top4_share_low') AS low,
    maxIf(d.last, metric = 'top4_share_high') AS high,
    minIf(d.lowest, metric = 'top4_share') AS lowest,
    maxIf(d.highest, metric = 'top4_share') AS highest
FROM concentration_daily AS d
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND day >= {since:Date}
  AND d.to_height <= {height:UInt32}
  AND metric IN ('top4_share', 'top4_share_low', 'top4_share_high')
GROUP BY day
ORDER BY day
