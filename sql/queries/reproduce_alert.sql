-- name: reproduce_alert
-- description: One step of an alert on blocks, and its value computed again from them, under the attribution set that it names: without the stored concentration
-- param alert String = '' | alert id, 16 hexadecimal digits; empty for the last step that fired
-- param sequence UInt32 = 0 | step of that alert
-- example: counterpoise sql --name reproduce_alert --param alert=0123456789abcdef --param sequence=1
WITH
    (
        SELECT (chain, attribution_id, view, assumeNotNull(from_height), assumeNotNull(height), value, counts, n, reproduce_sql)
        FROM alert_events
        WHERE height IS NOT NULL AND if({alert:String} = '', state = 'firing', alert_id = {alert:String} AND sequence = {sequence:UInt32})
        ORDER BY reason = 'restated', event_time DESC, alert_id, sequence DESC
        LIMIT 1
    ) AS step
SELECT
    step.1 AS chain,
    step.2 AS attribution_id,
    step.4 AS from_height,
    step.5 AS to_height,
    step.6 AS recorded_value,
    step.8 AS recorded_blocks,
    sum(blocks) AS counted_blocks,
    sumIf(blocks, pool = 'unknown') AS counted_unknown,
    step.7 AS recorded_counts,
    arraySlice(arraySort(x -> (-x.2, x.1), groupArrayIf((pool, toInt64(blocks)), pool != 'unknown')), 1, 6) AS counted_raw_pools,
    arraySum(arrayMap(x -> x.2, arraySlice(counted_raw_pools, 1, 4))) / counted_blocks AS counted_raw_top4_share,
    step.9 AS sql_of_the_value
FROM
(
    SELECT pool, count() AS blocks
    FROM attributions_of(attribution_id = step.2)
    WHERE chain = step.1 AND height BETWEEN step.4 AND step.5
    GROUP BY pool
)
HAVING isNotNull(step.1)
