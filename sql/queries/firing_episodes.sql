-- name: firing_episodes
-- description: Each firing of an alert: first and last height, length, and the highest top-4 share of its view and window; an open end still fires
-- param rule String = top4-share | rule; empty for all
-- param chain String = all | chain, with the alerts of no chain; all for every chain
-- example: counterpoise sql --name firing_episodes --param rule=
WITH episodes AS
(
    SELECT
        alert_id,
        any(e.rule_id) AS rule_id,
        argMaxIf(e.height, (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_at_height,
        argMaxIf(event_time, (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_at,
        if(argMax(e.state, sequence) IN ('resolved', 'inactive'), argMax(e.height, sequence), NULL) AS resolved_at_height,
        if(argMax(e.state, sequence) IN ('resolved', 'inactive'), argMax(event_time, sequence), NULL) AS resolved_at,
        dateDiff('day', fired_at, resolved_at) AS days,
        argMax(e.state, sequence) AS state_now,
        argMaxIf(e.value, (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_value,
        argMaxIf(e.threshold, (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_threshold,
        argMaxIf(JSONExtractString(e.evidence, 'metric'), (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_metric,
        argMaxIf(e.summary, (e.reason != 'restated', sequence), e.state = 'firing' AND e.previous_state != 'firing') AS fired_summary,
        any(e.chain) AS chain,
        any(e.view) AS view,
        any(e.window_blocks) AS window_blocks
    FROM alert_events AS e
    WHERE ({rule:String} = '' OR e.rule_id = {rule:String}) AND ({chain:String} = 'all' OR e.chain IN ('', {chain:String}))
    GROUP BY alert_id
    HAVING countIf(e.state = 'firing') > 0 AND state_now != 'retracted'
)
SELECT
    rule_id, alert_id, fired_at_height, fired_at, resolved_at_height, resolved_at, days, state_now, fired_value, fired_threshold,
    if(p.heights = 0, NULL, p.highest) AS highest_top4_share,
    fired_summary, fired_metric
FROM episodes
LEFT JOIN
(
    SELECT e.alert_id AS alert_id, count() AS heights, max(c.top4_share) AS highest
    FROM
    (
        SELECT chain, view, window_blocks, height, top4_share
        FROM concentration_shares
        WHERE view IN (SELECT CAST(view, 'Enum8(\'raw\' = 0, \'entity\' = 1)') FROM episodes WHERE window_blocks > 0)
          AND window_blocks IN (SELECT window_blocks FROM episodes)
          AND height >= (SELECT min(fired_at_height) FROM episodes WHERE window_blocks > 0)
    ) AS c
    INNER JOIN (SELECT * FROM episodes WHERE window_blocks > 0) AS e
        ON c.chain = e.chain AND toString(c.view) = toString(e.view) AND c.window_blocks = e.window_blocks
    WHERE c.height >= e.fired_at_height AND c.height <= ifNull(e.resolved_at_height, 4294967295)
    GROUP BY alert_id
) AS p ON episodes.alert_id = p.alert_id
ORDER BY fired_at, alert_id
