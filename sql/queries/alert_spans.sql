-- name: alert_spans
-- description: When each alert fired and cleared up to a block, the newest if none is given: what charts shade. An open end still fired then
-- param chain String = all | chain, with the alerts of no chain; all for every chain
-- param height UInt32 = 4294967295 | the block, for what rests on blocks
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | its header time, UTC, for what rests on the clock
-- example: counterpoise sql --name alert_spans --param height=840000 --param at='2024-04-20 00:09:27'
SELECT
    alert_id,
    any(e.rule_id) AS rule_id,
    argMaxIf(event_time, (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_at,
    argMaxIf(e.height, (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_height,
    if(argMax(e.state, sequence) IN ('resolved', 'inactive'), argMax(event_time, sequence), NULL) AS cleared_at
FROM alert_events AS e
WHERE if(isNull(e.height), e.event_time <= {at:DateTime64(3, 'UTC')}, e.height <= {height:UInt32})
  AND ({chain:String} = 'all' OR e.chain IN ('', {chain:String}))
  AND empty(undoes) AND (alert_id, sequence) NOT IN (SELECT alert_id, arrayJoin(undoes) FROM alert_events)
GROUP BY alert_id
HAVING countIf(e.state = 'firing') > 0
ORDER BY fired_at, alert_id
