-- name: time_windows
-- description: Concentration of the last day, week, month and year at the newest full hour, and the four largest by blocks and by work
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param height UInt32 = 4294967295 | the newest hour at or below this height, in the last 10,080 blocks up to it
-- example: counterpoise sql --name time_windows --param view=entity
WITH least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height
SELECT span_days, height, time, n, unknown, window_full, top1_share, top4_share, top4_share_upper, top4_work_share, hhi, nakamoto_half,
    from_height, leaders
FROM time_windows
WHERE chain = {chain:String} AND view = {view:String} AND height <= last_height AND height > toInt64(last_height) - 10080
ORDER BY span_days, height DESC
LIMIT 1 BY span_days
