-- name: firing_episodes
-- description: Each time that an alert fired: from where to where and for how long; an open end is still firing
-- param rule String = top4-share | rule
-- example: counterpoise sql --name firing_episodes
SELECT
    alert_id,
    argMaxIf(height, sequence, state = 'firing') AS fired_at_height,
    argMaxIf(event_time, sequence, state = 'firing') AS fired_at,
    if(argMax(state, sequence) = 'resolved', argMax(height, sequence), NULL) AS resolved_at_height,
    if(argMax(state, sequence) = 'resolved', argMax(event_time, sequence), NULL) AS resolved_at,
    dateDiff('day', fired_at, resolved_at) AS days,
    argMax(state, sequence) AS state_now
FROM alert_events
WHERE rule_id = {rule:String}
GROUP BY alert_id
HAVING countIf(state = 'firing') > 0 AND state_now != 'retracted'
ORDER BY fired_at_height
