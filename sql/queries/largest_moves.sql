-- name: largest_moves
-- description: The largest moves of the top-4 share over one whole window, one for each stretch. Two windows without common blocks are independent samples
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window in blocks
-- param limit UInt32 = 20 | rows
-- example: counterpoise sql --name largest_moves --param window=2016 --param limit=5
SELECT height, time, share_before, share_now, change
FROM
(
    SELECT
        height,
        time,
        top4_share AS share_now,
        lagInFrame(top4_share, {window:UInt16}) OVER series AS share_before,
        lagInFrame(height, {window:UInt16}) OVER series AS height_before,
        share_now - share_before AS change
    FROM concentration_shares
    WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16} AND window_full
    WINDOW series AS (ORDER BY height ROWS BETWEEN {window:UInt16} PRECEDING AND CURRENT ROW)
)
WHERE height_before > 0 AND height - height_before = {window:UInt16}
ORDER BY abs(change) DESC, height
LIMIT 1 BY intDiv(height, {window:UInt16})
LIMIT {limit:UInt32}
