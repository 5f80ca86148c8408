-- name: risk_now
-- description: What the shares of the one to six largest mean at the newest height: confirmations, waits of a refused transaction, block interval after a stop
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- example: counterpoise sql --name risk_now --param view=entity
SELECT
    height, time, n, unknown, largest, share,
    if(largest = 1, confirmations_for_0_1_percent, NULL) AS confirmations_for_0_1_percent,
    1 / (1 - share) AS refused_mean_blocks,
    greatest(log(0.01) / log(share), 1) AS refused_99_percent_blocks,
    1 / (1 - share) AS stop_interval_ratio
FROM
(
    SELECT height, time, n, unknown, confirmations_for_0_1_percent,
        [top1_share, top2_share, top3_share, top4_share, top5_share, top6_share] AS shares
    FROM latest_concentration
    WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
)
ARRAY JOIN shares AS share, arrayEnumerate(shares) AS largest
ORDER BY largest
