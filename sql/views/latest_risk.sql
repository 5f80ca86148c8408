-- Written by `make generate` from the metric specs and counterpoise/windows.py; edit those.
CREATE OR REPLACE VIEW latest_risk
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
AS SELECT attribution_id, chain, view, window_blocks, height, tip_hash, time, toUInt32(1) AS confirmations, toBool(1) AS provisional, n, unknown, window_full, pools_seen, nakamoto_one_third, nakamoto_half, nakamoto_one_third_low, nakamoto_one_third_high, nakamoto_half_low, nakamoto_half_high, confirmations_for_1_percent, confirmations_for_0_1_percent, confirmations_for_0_001_percent
FROM concentration_latest_log FINAL
WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
ORDER BY chain, view, window_blocks
COMMENT 'What a few could do together, in the newest window of each chain, view and length';
