-- name: time_windows
-- description: Concentration of the last day, week, month and year at the newest full hour, and the four largest by blocks and by work
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param height UInt32 = 4294967295 | the newest hour at or below this height
-- example: counterpoise sql --name time_windows --param view=entity
SELECT span_days, height, time, n, unknown, window_full, top1_share, top4_share, top4_work_share, hhi, nakamoto_half, leaders
FROM time_windows
WHERE chain = {chain:String} AND view = {view:String} AND height <= {height:UInt32}
ORDER BY span_days, height DESC
LIMIT 1 BY span_days
