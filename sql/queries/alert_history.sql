-- name: alert_history
-- description: What alerts did, newest first: every step of a rule, or of all
-- param rule String = '' | rule; empty for all
-- param limit UInt32 = 100 | rows
-- example: counterpoise sql --name alert_history --param rule=top4-share
SELECT event_time, rule_id, state, previous_state, reason, height, value, value_high, interval_low, interval_high, threshold, summary, alert_id, sequence
FROM alert_events
WHERE {rule:String} = '' OR rule_id = {rule:String}
ORDER BY event_time DESC, alert_id, sequence DESC
LIMIT {limit:UInt32}
