CREATE OR REPLACE VIEW drift
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the fit rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    family LowCardinality(String) COMMENT 'top1 to top6: share of that many leaders; hhi',
    height UInt32 COMMENT 'Last block of the fit, divisible by 2,016',
    tip_hash String COMMENT 'Hash of that block, hexadecimal',
    from_height UInt32 COMMENT 'First block of the fit',
    pairs UInt16 COMMENT 'Pairs of adjoining windows of 2,016 blocks that it rests on',
    shipped Bool COMMENT 'True where fewer than 105,120 blocks are stored: drift is the shipped constant',
    drift Float64 COMMENT 'Variance of the walk a block',
    change Float64 COMMENT 'Squared change between the two newest windows; NaN where no earlier window fixed the leaders',
    chance Float64 COMMENT 'The part of change that chance explains on average'
)
AS SELECT attribution_id, chain, view, family, height, lower(hex(tip_hash)) AS tip_hash, from_height, pairs, toBool(pairs = 0) AS shipped, drift,
    change, chance
FROM drift_log FINAL
WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
COMMENT 'How fast the true value of each metric family walks: variance a block, fitted at every height divisible by 2,016';
