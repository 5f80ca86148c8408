-- name: rule_verdicts
-- description: How useful people find each rule: alerts that fired, and how often people called one useful or noise. A person's last word on an alert counts
-- param rule String = '' | rule; empty for all
-- example: counterpoise sql --name rule_verdicts
WITH verdicts AS
(
    SELECT target AS alert_id, author, argMax(kind, (acted_at, action_id)) AS verdict
    FROM alert_actions
    WHERE kind IN ('useful', 'noise')
    GROUP BY target, author
)
SELECT
    f.rule_id AS rule_id,
    uniqExact(f.alert_id) AS alerts_fired,
    countIf(v.verdict = 'useful') AS useful,
    countIf(v.verdict = 'noise') AS noise,
    if(useful + noise = 0, NULL, round(noise / (useful + noise), 3)) AS noise_share
FROM (SELECT DISTINCT rule_id, alert_id FROM alert_events WHERE state IN ('firing', 'error')) AS f
LEFT JOIN verdicts AS v ON f.alert_id = v.alert_id
WHERE {rule:String} = '' OR f.rule_id = {rule:String}
GROUP BY rule_id
ORDER BY rule_id
