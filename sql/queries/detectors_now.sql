-- name: detectors_now
-- description: Which sequential detectors fire after the newest block, and how near each is to its next fire or clear
-- param chain String = bitcoin | chain
-- param promise UInt8 = 10 | expected years between false alarms: 1, 5 or 10
-- example: counterpoise sql --name detectors_now --param promise=1
SELECT height, time, view, detector, firing, evidence, evidence_blocks
FROM detectors
WHERE chain = {chain:String} AND promise_years = {promise:UInt8}
    AND height = (SELECT max(height) FROM latest_concentration WHERE chain = {chain:String})
ORDER BY view DESC, detector
