-- name: alert_people
-- description: What people asked for about one alert: its acknowledgement, silences for it alone, verdicts, and refused requests
-- param alert String = '' | alert id, 16 hexadecimal digits; empty for the alert with the newest step
-- example: counterpoise sql --name alert_people --param alert=0123456789abcdef
WITH if({alert:String} = '', (SELECT argMax(alert_id, (event_time, sequence)) FROM alert_events), {alert:String}) AS asked
SELECT
    kind, acted_at, author, reason, via, until, until_resolved, worse_than, action_id,
    action_id IN (SELECT target FROM alert_actions WHERE kind = 'unsilence') AS ended
FROM alert_actions
WHERE (target = asked AND kind IN ('acknowledge', 'useful', 'noise', 'refused'))
    OR (kind = 'silence' AND JSONExtractString(matchers, 'alert') = asked)
ORDER BY acted_at, action_id
