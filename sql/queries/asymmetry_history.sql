-- name: asymmetry_history
-- description: The gap between AI and mining at the end of each month: both sides, L under all three treatments, its envelope and the call
-- param series String = epoch-ai-compute-owners | market series
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param knowledge String = latest | live (what was published by then) or latest (all that is known now)
-- example: counterpoise sql --name asymmetry_history --param view=entity
SELECT
    day, list_id, ai_layer, mining_layer,
    round(d2_ai_dropped, 2) AS ai_dropped, round(d2_ai_one_owner, 2) AS ai_one_owner, round(d2_ai_spread, 2) AS ai_spread,
    round(d2_mining, 2) AS mining,
    round(l_dropped, 3) AS l_dropped, round(l_one_owner, 3) AS l_one_owner, round(l_spread, 3) AS l_spread,
    round(least(low_independent, low_correlated), 3) AS low, round(greatest(high_independent, high_correlated), 3) AS high,
    level, regime, gap, hindsight
FROM asymmetry
WHERE series = {series:String} AND chain = {chain:String} AND view = {view:String} AND knowledge = {knowledge:String}
  AND day = toLastDayOfMonth(day)
ORDER BY list_id, day
