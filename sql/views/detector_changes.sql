-- Written by `make generate` from counterpoise/detectors/tracks.py; edit that.
CREATE OR REPLACE VIEW detector_changes
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the state rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Height of the block that fires or clears the detector',
    tip_hash String COMMENT 'Hash of the block, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the block',
    view LowCardinality(String) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    detector LowCardinality(String) COMMENT 'top4_above_75, any_above_one_third, any_above_one_half or hhi_above_1800',
    promise_years UInt8 COMMENT 'Expected time between false alarms: 1, 5 or 10 times 52,560 blocks, a year of bitcoin and less of a faster chain',
    fires Bool COMMENT 'True where the detector fires, false where it clears'
)
AS SELECT attribution_id, chain, height, lower(hex(tip_hash)) AS tip_hash, time,
    ['raw', 'entity'][intDiv(track, 12) + 1] AS view,
    ['top4_above_75', 'any_above_one_third', 'any_above_one_half', 'hhi_above_1800'][intDiv(track, 3) % 4 + 1] AS detector,
    [1, 5, 10][track % 3 + 1] AS promise_years, bitTest(firing, track) AS fires
FROM
(
    SELECT attribution_id, chain, height, tip_hash, time, firing,
        bitXor(firing, lagInFrame(firing, 1, toUInt32(0)) OVER (PARTITION BY attribution_id, chain ORDER BY height)) AS changed
    FROM detectors_log FINAL
    WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
)
ARRAY JOIN range(24) AS track
WHERE changed != 0 AND bitTest(changed, track)
COMMENT 'Every fire and clear of the sequential detectors, from the bits of every height. Choose chain and promise';
