-- name: gap_by_quarter
-- description: Both sides and the gap at the end of each quarter and at the tip, with the ends of every interval: what the report draws
-- param series String = epoch-ai-compute-owners | market series
-- param list String = all-owners | include-list
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window of the mining side in blocks
-- param knowledge String = latest | live (what was published by then) or latest (all that is known now)
-- example: counterpoise sql --name gap_by_quarter --param view=entity
SELECT
    day, d2_ai_dropped, d2_ai_one_owner, d2_ai_spread, d2_mining, d2_mining_low, d2_mining_high, l_dropped, l_one_owner, l_spread,
    least(low_independent, low_correlated) AS low, greatest(high_independent, high_correlated) AS high,
    level, regime, bucket_owners, known_blocks + unknown_blocks AS blocks, hindsight, period_end, at_tip
FROM
(
    SELECT *, false AS at_tip FROM asymmetry WHERE day = toLastDayOfMonth(day) AND toMonth(day) % 3 = 0
    UNION ALL
    SELECT *, true AS at_tip FROM latest_asymmetry
)
WHERE series = {series:String} AND list_id = {list:String} AND chain = {chain:String} AND view = {view:String}
  AND window_blocks = {window:UInt16} AND knowledge = {knowledge:String}
ORDER BY at_tip, day
