-- name: gap_now
-- description: The asymmetry of every pair at the tip: L under each treatment, the probability that it is above 0, age of both sides, call
-- example: counterpoise sql --name gap_now
SELECT
    series, list_id, ai_layer, chain, view, mining_layer, knowledge, valid_at, period_end,
    round(l_dropped, 3) AS l_dropped, round(l_one_owner, 3) AS l_one_owner, round(l_spread, 3) AS l_spread,
    round(p_dropped_independent, 3) AS p_dropped, round(p_one_owner_independent, 3) AS p_one_owner, round(p_spread_independent, 3) AS p_spread,
    round(least(low_independent, low_correlated), 3) AS low, round(greatest(high_independent, high_correlated), 3) AS high,
    level, regime, gap, round(ai_age_days, 1) AS ai_age_days, round(mining_age_days, 3) AS mining_age_days
FROM latest_asymmetry
ORDER BY series, list_id, chain, view, knowledge
