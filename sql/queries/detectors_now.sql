-- name: detectors_now
-- description: Which sequential detectors fire, how near each is to its next fire or clear, and where it fired and cleared last in so many blocks
-- param chain String = bitcoin | chain
-- param promise UInt8 = 10 | expected years between false alarms: 1, 5 or 10
-- param height UInt32 = 4294967295 | the states after this block; the newest where it is above
-- param blocks UInt32 = 105120 | blocks in which its last fire and clear are looked for
-- example: counterpoise sql --name detectors_now --param promise=1
WITH least({height:UInt32}, (SELECT max(height) FROM latest_concentration WHERE chain = {chain:String})) AS last_height
SELECT d.height AS height, d.time AS time, d.view AS view, d.detector AS detector, d.firing AS firing, d.evidence AS evidence,
    d.evidence_blocks AS evidence_blocks, c.fired_height AS fired_height, c.fired_time AS fired_time,
    c.cleared_height AS cleared_height, c.cleared_time AS cleared_time
FROM
(
    SELECT * FROM detectors WHERE chain = {chain:String} AND promise_years = {promise:UInt8} AND height = last_height
) AS d
LEFT JOIN
(
    SELECT view, detector, maxOrNullIf(height, fires) AS fired_height, argMaxOrNullIf(time, height, fires) AS fired_time,
        maxOrNullIf(height, NOT fires) AS cleared_height, argMaxOrNullIf(time, height, NOT fires) AS cleared_time
    FROM detector_changes_before(chain = {chain:String}, height = {height:UInt32}, blocks = {blocks:UInt32})
    WHERE promise_years = {promise:UInt8}
    GROUP BY view, detector
) AS c ON c.view = d.view AND c.detector = d.detector
ORDER BY view DESC, detector
