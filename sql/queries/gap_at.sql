-- name: gap_at
-- description: The gap up to a block: the end of each quarter and of the last whole day, each by what was published by then
-- param series String = epoch-ai-compute-owners | market series
-- param list String = all-owners | include-list
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window of the mining side in blocks
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | header time of the block, UTC
-- example: counterpoise sql --name gap_at --param at='2024-04-20 00:09:27'
SELECT
    day, d2_ai_dropped, d2_ai_one_owner, d2_ai_spread, d2_mining, d2_mining_low, d2_mining_high, l_dropped, l_one_owner, l_spread,
    least(low_independent, low_correlated) AS low, greatest(high_independent, high_correlated) AS high,
    level, regime, bucket_owners, known_blocks + unknown_blocks AS blocks, hindsight, period_end, day = max(day) OVER () AS at_tip
FROM
(
    SELECT *, max(day) OVER () AS last_day
    FROM asymmetry
    WHERE series = {series:String} AND list_id = {list:String} AND chain = {chain:String} AND view = {view:String}
      AND window_blocks = {window:UInt16} AND knowledge = 'live' AND day < toDate({at:DateTime64(3, 'UTC')}, 'UTC')
)
WHERE day = last_day OR (day = toLastDayOfMonth(day) AND toMonth(day) % 3 = 0)
ORDER BY day
