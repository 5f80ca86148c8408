-- name: height_at
-- description: The highest scored block of the best chain with a header time at or before a moment
-- param chain String = bitcoin | chain
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | the moment, UTC
-- example: counterpoise sql --name height_at --param at='2024-04-20 00:09:27'
WITH
    (
        SELECT (maxIf(to_height, day < toDate({at:DateTime64(3, 'UTC')}, 'UTC')), minIf(from_height, day > toDate({at:DateTime64(3, 'UTC')}, 'UTC')))
        FROM concentration_daily
        WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = 144 AND metric = 'top4_share'
    ) AS days
SELECT height, time
FROM concentration_shares
WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = 144
  AND height >= days.1 - least(days.1, 144) AND (days.2 = 0 OR height < days.2 + 144)
  AND time <= {at:DateTime64(3, 'UTC')}
ORDER BY height DESC
LIMIT 1
