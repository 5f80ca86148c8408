-- name: deliveries
-- description: Sent messages and their destinations, one for each step of an alert, newest first
-- param limit UInt32 = 100 | rows
-- example: counterpoise sql --name deliveries
SELECT d.updated_at AS updated_at, e.rule_id AS rule_id, e.state AS state, d.notifier AS notifier, d.action AS action, d.status AS status, d.detail AS detail, d.channel AS channel, d.message_ts AS message_ts, d.attempts AS attempts, d.alert_id AS alert_id, d.sequence AS sequence
FROM alert_deliveries AS d
LEFT JOIN alert_events AS e ON d.alert_id = e.alert_id AND d.sequence = e.sequence
ORDER BY updated_at DESC, alert_id, sequence, notifier, action
LIMIT {limit:UInt32}
