-- name: alert_steps
-- description: Every step of one alert in order, with its evidence and the SQL that computes its value again
-- param alert String = '' | alert id, 16 hexadecimal digits; empty for the alert with the newest step
-- example: counterpoise sql --name alert_steps --param alert=0123456789abcdef
SELECT
    sequence, rule_id, state, previous_state, reason, event_time, recorded_at, value, value_low, value_high, interval_low, interval_high, threshold,
    summary, chain, view, window_blocks, from_height, height, tip_hash, attribution_id, n, unknown, pools_seen, counts, reproduce_sql,
    JSONExtractString(evidence, 'metric') AS metric, JSONExtractString(evidence, 'instance') AS instance,
    JSONExtractString(evidence, 'rule', 'type') AS rule_type
FROM alert_events
WHERE alert_id = if({alert:String} = '', (SELECT argMax(alert_id, (event_time, sequence)) FROM alert_events), {alert:String})
ORDER BY sequence
