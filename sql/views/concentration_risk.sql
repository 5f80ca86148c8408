-- Written by `make generate` from the metric specs and counterpoise/windows.py; edit those.
-- Lower bounds keep unknown in the denominator; what speaks of a distribution over pools leaves it out. NaN is undefined: 0 of 0.
CREATE OR REPLACE VIEW concentration_risk
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the row rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of the last block of the window, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip of the chain, both included; 1 at the tip',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Blocks of the window without a known producer; in n, in no pool',
    window_full Bool COMMENT 'True where n equals window_blocks',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window',
    nakamoto_one_third UInt16 COMMENT 'Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not',
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not',
    nakamoto_one_third_low UInt16 COMMENT 'Fewest pools that may hold more than a third of the hashrate with 95 %; 0 where the six largest do not',
    nakamoto_one_third_high UInt16 COMMENT 'Fewest pools that hold beyond doubt more than a third of the hashrate with 95 %; 0 where the six largest do not',
    nakamoto_half_low UInt16 COMMENT 'Fewest pools that may hold more than half of the hashrate with 95 %; 0 where the six largest do not',
    nakamoto_half_high UInt16 COMMENT 'Fewest pools that hold beyond doubt more than half of the hashrate with 95 %; 0 where the six largest do not',
    confirmations_for_1_percent UInt16 COMMENT 'Confirmations after which the largest undoes a payment with a probability below 1 percent; 65535: as many or more, or no number suffices',
    confirmations_for_0_1_percent UInt16 COMMENT 'Confirmations after which the largest undoes a payment with a probability below 0.1 percent; 65535: as many or more, or no number suffices',
    confirmations_for_0_001_percent UInt16 COMMENT 'Confirmations after which the largest undoes a payment with a probability below 0.001 percent; 65535: as many or more, or no number suffices'
)
AS WITH
    (SELECT (groupArray(toString(chain)), groupArray(height)) FROM chain_tips_log) AS tips,
    c1 / n AS largest,
    -log(4. * largest * (1. - largest)) AS race
SELECT
    attribution_id,
    chain,
    view,
    window_blocks,
    height,
    lower(hex(r.tip_hash)) AS tip_hash,
    time,
    toUInt32(greatest(toInt64(transform(toString(chain), tips.1, tips.2, toUInt32(0))) - height + 1, 1)) AS confirmations,
    toBool(toInt64(transform(toString(chain), tips.1, tips.2, toUInt32(0))) - height < 5) AS provisional,
    n,
    unknown,
    window_full,
    pools_seen,
    nakamoto_one_third,
    nakamoto_half,
    toUInt16(arrayFirstIndex(few -> few - 0.3333333333333333 * n + 1.959963984540054 * sqrt(n * 0.3333333333333333 * 0.6666666666666667) > 0, arrayCumSum([c1, c2, c3, c4, c5, c6]))) AS nakamoto_one_third_low,
    toUInt16(arrayFirstIndex(few -> few - 0.3333333333333333 * n - 1.959963984540054 * sqrt(n * 0.3333333333333333 * 0.6666666666666667) > 0, arrayCumSum([c1, c2, c3, c4, c5, c6]))) AS nakamoto_one_third_high,
    toUInt16(arrayFirstIndex(few -> few - 0.5 * n + 1.959963984540054 * sqrt(n * 0.5 * 0.5) > 0, arrayCumSum([c1, c2, c3, c4, c5, c6]))) AS nakamoto_half_low,
    toUInt16(arrayFirstIndex(few -> few - 0.5 * n - 1.959963984540054 * sqrt(n * 0.5 * 0.5) > 0, arrayCumSum([c1, c2, c3, c4, c5, c6]))) AS nakamoto_half_high,
    toUInt16(multiIf(n = 0, 0, largest >= 0.5, 65535, largest < 0.252096076062, arrayCount(line -> line <= largest, [0.005, 0.041400150716, 0.0828291872015, 0.117703751669, 0.146056224335, 0.169312197875, 0.188704634736, 0.205142775797, 0.219282297922, 0.231600188619, 0.242449414502, 0.252096076062]) + 1, least(floor((0.25 + 3.31744830051 / race) - (0.1003635 + (0.02509562 + (-0.01575142 + -0.01264424 / (0.25 + 3.31744830051 / race)) / (0.25 + 3.31744830051 / race)) / (0.25 + 3.31744830051 / race)) / (0.25 + 3.31744830051 / race)) + 1, 65535))) AS confirmations_for_1_percent,
    toUInt16(multiIf(n = 0, 0, largest >= 0.5, 65535, largest < 0.196319961364, arrayCount(line -> line <= largest, [0.0005, 0.012966106086, 0.0375479006719, 0.0639424215971, 0.0883475826625, 0.110000787323, 0.129033027792, 0.145785719155, 0.160609468644, 0.173810920517, 0.185644959171, 0.196319961364]) + 1, least(floor((0.25 + 5.41378308533 / race) - (0.1440371 + (0.03602844 + (-0.04938611 + -0.03074358 / (0.25 + 5.41378308533 / race)) / (0.25 + 5.41378308533 / race)) / (0.25 + 5.41378308533 / race)) / (0.25 + 5.41378308533 / race)) + 1, 65535))) AS confirmations_for_0_1_percent,
    toUInt16(multiIf(n = 0, 0, largest >= 0.5, 65535, largest < 0.124679748181, arrayCount(line -> line <= largest, [5e-06, 0.0012915506028, 0.00796878133282, 0.0196738490151, 0.0338571889974, 0.0487304700694, 0.0633601818641, 0.0773181161125, 0.0904380854963, 0.10268362108, 0.114079993554, 0.124679748181]) + 1, least(floor((0.25 + 9.75571048233 / race) - (0.2344931 + (0.05883352 + (-0.2324991 + -0.06044556 / (0.25 + 9.75571048233 / race)) / (0.25 + 9.75571048233 / race)) / (0.25 + 9.75571048233 / race)) / (0.25 + 9.75571048233 / race)) + 1, 65535))) AS confirmations_for_0_001_percent
FROM (SELECT * FROM concentration_log FINAL WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL) SETTINGS optimize_move_to_prewhere_if_final = 1) AS r
COMMENT 'What a few could do together, of each trailing window at each height; the other metrics are in concentration';
