-- name: risk_now
-- description: What the shares of the one to six largest mean: confirmations, wait of a refused transaction, selfish mining, block interval after a stop
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param height UInt32 = 4294967295 | last block of the window; the newest where it is above
-- example: counterpoise sql --name risk_now --param view=entity
WITH
    -- Confirmations by the closed form of the metrics; NULL where no number suffices.
    least({height:UInt32}, (SELECT max(height) FROM latest_shares WHERE chain = {chain:String})) AS last_height,
    [
        (3.31744830051, [0.1003635, 0.02509562, -0.01575142, -0.01264424], [0.005, 0.041400150716, 0.0828291872015, 0.117703751669, 0.146056224335, 0.169312197875, 0.188704634736, 0.205142775797, 0.219282297922, 0.231600188619, 0.242449414502, 0.252096076062]),
        (5.41378308533, [0.1440371, 0.03602844, -0.04938611, -0.03074358], [0.0005, 0.012966106086, 0.0375479006719, 0.0639424215971, 0.0883475826625, 0.110000787323, 0.129033027792, 0.145785719155, 0.160609468644, 0.173810920517, 0.185644959171, 0.196319961364]),
        (9.75571048233, [0.2344931, 0.05883352, -0.2324991, -0.06044556], [5e-06, 0.0012915506028, 0.00796878133282, 0.0196738490151, 0.0338571889974, 0.0487304700694, 0.0633601818641, 0.0773181161125, 0.0904380854963, 0.10268362108, 0.114079993554, 0.124679748181])
    ] AS inverted,
    arrayMap(c -> if(share < c.3[12], arrayCount(line -> line <= share, c.3) + 1.,
        floor(0.25 + c.1 / race - (c.2[1] + (c.2[2] + (c.2[3] + c.2[4] / (0.25 + c.1 / race)) / (0.25 + c.1 / race)) / (0.25 + c.1 / race))
            / (0.25 + c.1 / race)) + 1), inverted) AS needed
SELECT
    height, time, n, unknown, largest, share,
    if(share < 0.5, toUInt64(needed[1]), NULL) AS confirmations_for_1_percent,
    if(share < 0.5, toUInt64(needed[2]), NULL) AS confirmations_for_0_1_percent,
    if(share < 0.5, toUInt64(needed[3]), NULL) AS confirmations_for_0_001_percent,
    1 / (1 - share) AS refused_mean_blocks,
    if(share < 1, greatest(log(0.01) / log(share), 1), inf) AS refused_99_percent_blocks,
    (1 - 3 * least(share, 1 / 3)) / (1 - 2 * least(share, 1 / 3)) AS selfish_mining_pays_from_gamma,
    1 / (1 - share) AS stop_interval_ratio
FROM
(
    SELECT height, time, n, unknown, share, largest, -log(4 * least(share, 0.4999999) * (1 - least(share, 0.4999999))) AS race
    FROM
    (
        SELECT height, time, n, unknown, 
            arraySlice([top1_share, top2_share, top3_share, top4_share, top5_share, top6_share], 1, length(leaders)) AS shares
        FROM concentration_shares
        WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND height = last_height
    )
    ARRAY JOIN shares AS share, arrayEnumerate(shares) AS largest
)
ORDER BY largest
