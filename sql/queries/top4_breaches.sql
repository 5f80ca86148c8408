-- name: top4_breaches
-- description: Stretches of heights with a top-4 share (lower bound) above a line, longest first. Plain crossings without a hold: more of them than alerts
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param line Float64 = 0.75 | a share of this much is not yet above the line
-- example: counterpoise sql --name top4_breaches --param line=0.78
SELECT
    min(height) AS from_height,
    max(height) AS to_height,
    count() AS blocks,
    min(time) AS from_time,
    max(time) AS to_time,
    max(top4_share) AS highest_share,
    argMax(height, top4_share) AS highest_at
FROM
(
    SELECT height, time, top4_share, height - row_number() OVER (ORDER BY height) AS stretch
    FROM concentration_shares
    WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND window_full
      AND top4_share > {line:Float64}
)
GROUP BY stretch
ORDER BY blocks DESC, from_height
