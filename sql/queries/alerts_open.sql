-- name: alerts_open
-- description: Every alert that is not closed, firing ones first: its rule, state, value and line, and since when
-- example: counterpoise sql --name alerts_open
SELECT alert_id, rule_id, state, value, value_high, threshold, summary, chain, view, window_blocks, height, event_time
FROM alerts
WHERE state IN ('firing', 'pending', 'possible', 'rebased')
ORDER BY state != 'firing', event_time DESC, alert_id
