-- name: alert_spans
-- description: When each alert fired and cleared, without its peak: what charts shade. An open end still fires
-- example: counterpoise sql --name alert_spans
SELECT
    alert_id,
    any(e.rule_id) AS rule_id,
    argMaxIf(event_time, sequence, e.state = 'firing' AND e.previous_state != 'firing') AS fired_at,
    argMaxIf(e.height, sequence, e.state = 'firing' AND e.previous_state != 'firing') AS fired_height,
    if(argMax(e.state, sequence) IN ('resolved', 'inactive'), argMax(event_time, sequence), NULL) AS cleared_at
FROM alert_events AS e
GROUP BY alert_id
HAVING countIf(e.state = 'firing') > 0 AND argMax(e.state, sequence) != 'retracted'
ORDER BY fired_at, alert_id
