-- name: monthly_concentration
-- description: Each calendar month by its trailing windows: mean HHI and top-4 share, the range of the Nakamoto number, and the share of unknown blocks
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- example: counterpoise sql --name monthly_concentration --param view=entity
SELECT
    toStartOfMonth(time) AS month,
    count() AS heights,
    avg(hhi_10000) AS mean_hhi_10000,
    avg(top4_share) AS mean_top4_share,
    min(nakamoto_half) AS lowest_nakamoto_half,
    max(nakamoto_half) AS highest_nakamoto_half,
    avg(unknown / n) AS mean_unknown_ratio
FROM concentration
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND window_full
GROUP BY month
ORDER BY month
