-- name: detector_events
-- description: Every fire and clear of the sequential detectors, by height
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param promise UInt8 = 10 | expected years between false alarms: 1, 5 or 10
-- example: counterpoise sql --name detector_events --param promise=1 --param view=entity
WITH changes AS
(
    SELECT height, time, detector, fires
    FROM detector_changes
    WHERE chain = {chain:String} AND view = {view:String} AND promise_years = {promise:UInt8}
)
SELECT c.height AS height, c.time AS time, c.detector AS detector, if(c.fires, 'fires', 'clears') AS event, d.evidence AS evidence
FROM changes AS c
INNER JOIN
(
    SELECT height, detector, evidence
    FROM detectors
    WHERE chain = {chain:String} AND view = {view:String} AND promise_years = {promise:UInt8} AND height IN (SELECT height FROM changes)
) AS d ON d.height = c.height AND d.detector = c.detector
ORDER BY height, detector
