-- name: share_over_time
-- description: The top-4 share in a limited number of stretches: value and interval at the end of each, and the lowest and highest inside
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param since DateTime = 1970-01-01 00:00:00 | first header time, UTC
-- param points UInt32 = 360 | stretches at most
-- example: counterpoise sql --name share_over_time --param since='2024-01-01 00:00:00' --param points=100
WITH
    (
        SELECT (min(height), max(height))
        FROM concentration_shares
        WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND window_full
          AND time >= {since:DateTime}
    ) AS ends,
    intDiv(ends.2 - ends.1, {points:UInt32}) + 1 AS step
SELECT
    max(height) AS to_height,
    argMax(time, height) AS to_time,
    argMax(top4_share, height) AS share,
    argMax(top4_share_low, height) AS low,
    argMax(top4_share_high, height) AS high,
    min(top4_share) AS lowest,
    max(top4_share) AS highest,
    argMax(unknown / n, height) AS unknown_ratio
FROM concentration_shares
WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND window_full
  AND height BETWEEN ends.1 AND ends.2
GROUP BY intDiv(ends.2 - height, step)
ORDER BY to_height
