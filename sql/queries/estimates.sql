-- name: estimates
-- description: Top-1 to top-6 share, HHI and D₂ of the blocks seen, of the hashrate now and of the next blocks, with 95 % intervals
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param next UInt32 = 2016 | number of next blocks
-- param from_height UInt32 = 0 | first height
-- param to_height UInt32 = 4294967295 | last height
-- param step UInt32 = 144 | heights between two windows
-- example: counterpoise sql --name estimates --param window=4320 --param view=entity --param step=10000
SELECT
    height, time, {view:String} AS view, {window:UInt16} AS window_blocks, n, unknown, metric, drift, blocks_seen,
    toFloat64(multiIf(metric LIKE 'top%', share_now.1, metric = 'hhi', index_now.1, 1 / index_now.2)) AS now_low,
    toFloat64(multiIf(metric LIKE 'top%', share_now.2, metric = 'hhi', index_now.2, index_now.1 > 0, 1 / index_now.1, nan)) AS now_high,
    {next:UInt32} AS next_blocks,
    toFloat64(multiIf(metric LIKE 'top%', share_next.1, metric = 'hhi', index_next.1, 1 / index_next.2)) AS next_low,
    toFloat64(multiIf(metric LIKE 'top%', share_next.2, metric = 'hhi', index_next.2, index_next.1 > 0, 1 / index_next.1, nan)) AS next_high
FROM
(
    WITH
        1.959963984540054 AS z,
        7.377758908227871 AS no_pair,
        -- Shares: symmetric in the log-odds.
        (part + 0.5) / (n + 1) AS p,
        p * (1 - p) AS spread,
        z * sqrt(spread / n + drift * n / 3) / spread AS share_reach_now,
        z * sqrt(spread / n + spread / {next:UInt32} + drift * (n + {next:UInt32}) / 3) / spread AS share_reach_next,
        -- HHI and D₂: pairs and triples of the m blocks that count, symmetric in the logarithm. D₂ leaves unknown blocks out.
        {next:UInt32} * m / n AS following,
        (s2 - known) / (m * (m - 1)) AS q,
        greatest((s3 - 3 * s2 + 2 * known) / (m * (m - 1) * (m - 2)) - q * q, 0) AS excess,
        greatest(q - q * q, 0) AS other,
        2 * (2 * (m - 2) * excess + other) / ((m - 2) * (m - 3)) AS variance,
        2 * (2 * (following - 2) * (excess + variance) + other + variance) / (following * (following - 1)) AS luck,
        pow(n / m, 4) * drift / 3 AS walk,
        exp(z * sqrt(variance + walk * n) / q) AS factor_now,
        if(following < 3, inf, exp(z * sqrt(variance + luck + walk * (n + {next:UInt32})) / q)) AS factor_next
    SELECT
        height, time, metric, n, unknown, drift,
        multiIf(metric LIKE 'top%', part / n, metric = 'hhi', s2 / (n * n), known * known / s2) AS blocks_seen,
        (1 / (1 + (1 - p) / p * exp(share_reach_now)), 1 / (1 + (1 - p) / p * exp(-share_reach_now))) AS share_now,
        (1 / (1 + (1 - p) / p * exp(share_reach_next)), 1 / (1 + (1 - p) / p * exp(-share_reach_next))) AS share_next,
        (
            if(m < 4 OR s2 = known, 0, least(q / factor_now, pow(0.025, 2 / m))),
            multiIf(m < 4, 1, s2 = known, least(no_pair / (m * (m - 1)), 1), least(q * factor_now, 1))
        ) AS index_now,
        (
            if(m < 4 OR s2 = known, 0, least(q / factor_next, pow(0.025, 2 / m))),
            multiIf(
                m < 4 OR s2 = known AND following <= 1, 1,
                s2 = known, least(no_pair / (least(m, following) * (least(m, following) - 1)), 1), least(q * factor_next, 1))
        ) AS index_next
    FROM
    (
        SELECT
            w.height AS height, w.time AS time, metric, toFloat64(w.n) AS n, toFloat64(w.unknown) AS unknown, n - unknown AS known,
            toFloat64(w.s2) AS s2, toFloat64(w.s3) AS s3, part, if(metric = 'effective_pools_d2', known, n) AS m,
            -- Without a fit the constants of the docs stand.
            multiIf(d.height > 0, d.drift, family = 'top1', 5e-8, family = 'hhi', 2e-8, 7.9e-8) AS drift
        FROM
        (
            SELECT
                height, time, n, unknown, s2, s3, metric, part,
                if(metric LIKE 'top%', substring(metric, 1, 4), 'hhi') AS family
            FROM concentration
            ARRAY JOIN
                ['top1_share', 'top2_share', 'top3_share', 'top4_share', 'top5_share', 'top6_share', 'hhi', 'effective_pools_d2'] AS metric,
                arrayConcat(arrayMap(c -> toFloat64(c), arrayCumSum([c1, c2, c3, c4, c5, c6])), [0., 0.]) AS part
            WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
              AND height BETWEEN {from_height:UInt32} AND {to_height:UInt32} AND height % {step:UInt32} = 0
        ) AS w
        ASOF LEFT JOIN
        (
            SELECT family AS of_family, height, drift FROM drift WHERE chain = {chain:String} AND view = {view:String}
        ) AS d ON w.family = d.of_family AND w.height >= d.height
    )
)
ORDER BY height, metric
