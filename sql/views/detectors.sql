-- Written by `make generate` from counterpoise/detectors/tracks.py; edit that.
CREATE OR REPLACE VIEW detectors
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the state rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Height of the block',
    tip_hash String COMMENT 'Hash of the block, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the block',
    view LowCardinality(String) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    detector LowCardinality(String) COMMENT 'top4_above_75, any_above_one_third, any_above_one_half or hhi_above_1800',
    promise_years UInt8 COMMENT 'Expected time between false alarms: 1, 5 or 10 times 52,560 blocks, a year of bitcoin and less of a faster chain',
    firing Bool COMMENT 'True from the block that fires to the block before the one that clears',
    evidence_blocks Float32 COMMENT 'Evidence for the change that would end the present state, in blocks between false alarms',
    evidence Float64 COMMENT 'The same over the promise: an alarm is where it reaches 1, and the evidence begins again at 0'
)
AS SELECT attribution_id, chain, height, lower(hex(tip_hash)) AS tip_hash, time,
    ['raw', 'entity'][intDiv(track, 12) + 1] AS view,
    ['top4_above_75', 'any_above_one_third', 'any_above_one_half', 'hhi_above_1800'][intDiv(track, 3) % 4 + 1] AS detector,
    [1, 5, 10][track % 3 + 1] AS promise_years, bitTest(firing, track) AS firing, blocks AS evidence_blocks,
    blocks / (promise_years * 52560) AS evidence
FROM
(
    SELECT attribution_id, chain, height, tip_hash, time, firing, blocks, track
    FROM detectors_log FINAL
    ARRAY JOIN evidence AS blocks, range(length(evidence)) AS track
    WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
)
COMMENT 'Sequential detectors after every block: whether each fires, and its evidence. Choose chain and a range of heights';
