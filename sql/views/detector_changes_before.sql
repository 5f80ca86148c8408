-- Written by `make generate` from counterpoise/detectors/tracks.py; edit that.
CREATE OR REPLACE VIEW detector_changes_before
AS SELECT attribution_id, chain, height, lower(hex(tip_hash)) AS tip_hash, time,
    ['raw', 'entity'][intDiv(track, 12) + 1] AS view,
    ['top4_above_75', 'any_above_one_third', 'any_above_one_half', 'hhi_above_1800'][intDiv(track, 3) % 4 + 1] AS detector,
    [1, 5, 10][track % 3 + 1] AS promise_years, bitTest(firing, track) AS fires
FROM
(
    WITH
        least({height:UInt32}, (SELECT max(height) FROM latest_concentration WHERE chain = {chain:String})) AS last,
        last - least(last, {blocks:UInt32}) AS low
    SELECT attribution_id, chain, height, tip_hash, time, firing, height > low AS shown,
        bitXor(firing, lagInFrame(firing, 1, toUInt32(0)) OVER (PARTITION BY attribution_id, chain ORDER BY height)) AS changed
    FROM detectors_log FINAL
    WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
        AND chain = {chain:String} AND height >= low AND height <= last
)
ARRAY JOIN range(24) AS track
WHERE changed != 0 AND bitTest(changed, track) AND shown
COMMENT 'As detector_changes, in the last blocks up to a height, and no other height is read. Parameters: chain, height (the newest where it is above) and blocks';
