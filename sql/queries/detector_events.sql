-- name: detector_events
-- description: Every fire and clear of the sequential detectors, by height
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param promise UInt8 = 10 | expected years between false alarms: 1, 5 or 10
-- example: counterpoise sql --name detector_events --param promise=1 --param view=entity
SELECT height, time, detector, if(firing, 'fires', 'clears') AS event, evidence
FROM
(
    SELECT height, time, detector, firing, evidence, lagInFrame(firing, 1, false) OVER (PARTITION BY detector ORDER BY height) AS before
    FROM detectors
    WHERE chain = {chain:String} AND view = {view:String} AND promise_years = {promise:UInt8}
)
WHERE firing != before
ORDER BY height, detector
