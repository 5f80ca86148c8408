-- The formulas are those of the metrics of the same names; a test compares them.
CREATE OR REPLACE VIEW time_windows
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the row rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    span_days UInt16 COMMENT 'Length of the trailing window in days of 86,400 seconds: 1, 7, 30 or 365',
    height UInt32 COMMENT 'Height of the last block of the window, the first one after a full UTC hour',
    tip_hash String COMMENT 'Hash of the last block of the window, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window, later than that of every block below',
    from_height UInt32 COMMENT 'Height of the first block of the window',
    n UInt32 COMMENT 'Blocks in the window',
    unknown UInt32 COMMENT 'Blocks of the window without a known producer; in n, in no pool',
    window_full Bool COMMENT 'True where the blocks stored reach back to the start of the window',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window',
    leaders Array(Tuple(pool String, blocks UInt32, work_share Float64)) COMMENT 'The largest pools (or entities), at most six, with their blocks, and for the year their share of the work of all n blocks',
    top1_share Float64 COMMENT 'Share of the largest pool of all n blocks, a lower bound: no unknown block is its own',
    top4_share Float64 COMMENT 'Share of the 4 largest of all n blocks, a lower bound: no unknown block is theirs',
    top4_share_upper Float64 COMMENT 'Upper bound of top4_share: every unknown block is theirs',
    top4_work_share Float64 COMMENT 'Share of the same four of the work of all n blocks; NaN but for the year',
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1: sum of squared shares, unknown in the denominator (a lower bound)',
    nakamoto_one_third UInt16 COMMENT 'Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not',
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not'
)
AS WITH (SELECT (keys, slugs) FROM pool_keys_log) AS names
SELECT
    attribution_id, chain, view, span_days, height, lower(hex(r.tip_hash)) AS tip_hash, time, from_height, n, unknown, window_full, pools_seen,
    CAST(arrayMap(
        leader -> (transform(cityHash64(toString(attribution_id), toUInt8(view), leader.1), names.1, names.2, ''), leader.2, leader.3),
        arrayFilter(
            leader -> leader.2 > 0,
            [(l1, c1, work1), (l2, c2, work2), (l3, c3, work3), (l4, c4, work4), (l5, c5, work5), (l6, c6, work6)]
        )
    ), 'Array(Tuple(pool String, blocks UInt32, work_share Float64))') AS leaders,
    (c1) / n AS top1_share,
    (c1 + c2 + c3 + c4) / n AS top4_share,
    (c1 + c2 + c3 + c4 + unknown) / n AS top4_share_upper,
    work1 + work2 + work3 + work4 AS top4_work_share,
    s2 / (n * n) AS hhi,
    nakamoto_one_third,
    nakamoto_half
FROM
(
    SELECT * FROM time_windows_log FINAL
    WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
    SETTINGS optimize_move_to_prewhere_if_final = 1
) AS r
COMMENT 'Concentration of the last day, week, month and year, at the first block after each full hour';
