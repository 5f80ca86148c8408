-- name: alerts_open
-- description: Every alert that was not closed at a block, the newest if none is given, firing ones first. Undone steps are left out
-- param chain String = all | chain, with the alerts of no chain; all for every chain
-- param height UInt32 = 4294967295 | the block, for what rests on blocks
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | its header time, UTC, for what rests on the clock
-- example: counterpoise sql --name alerts_open --param height=840000 --param at='2024-04-20 00:09:27'
SELECT alert_id, rule_id, state, value, value_high, threshold, summary, chain, view, window_blocks, height, event_time
FROM
(
    SELECT *
    FROM alert_events AS e
    WHERE if(isNull(e.height), e.event_time <= {at:DateTime64(3, 'UTC')}, e.height <= {height:UInt32})
      AND ({chain:String} = 'all' OR e.chain IN ('', {chain:String}))
      AND empty(undoes) AND (alert_id, sequence) NOT IN (SELECT alert_id, arrayJoin(undoes) FROM alert_events)
    ORDER BY alert_id, sequence DESC
    LIMIT 1 BY alert_id
)
WHERE state IN ('firing', 'error', 'pending', 'possible', 'rebased')
ORDER BY state != 'firing', event_time DESC, alert_id
