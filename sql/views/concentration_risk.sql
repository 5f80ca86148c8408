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
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not'
)
AS WITH
    (SELECT (groupArray(toString(chain)), groupArray(height)) FROM chain_tips_log) AS tips
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
    nakamoto_half
FROM (SELECT * FROM concentration_log FINAL WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL) SETTINGS optimize_move_to_prewhere_if_final = 1) AS r
COMMENT 'What a few could do together, of each trailing window at each height; the other metrics are in concentration';
