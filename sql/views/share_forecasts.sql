CREATE OR REPLACE VIEW share_forecasts
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the forecast rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    height UInt32 COMMENT 'Height at which the forecast was made, divisible by 144',
    tip_hash String COMMENT 'Hash of that block, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of that block',
    drift Float64 COMMENT 'Variance of the walk a block that it assumed',
    share Float64 COMMENT 'Share of the hashrate of the four leaders of the last 1,008 blocks, from blocks weighed by age',
    low Float64 COMMENT '2.5 % quantile of their share of the next 1,008 blocks',
    high Float64 COMMENT '97.5 % quantile of their share of the next 1,008 blocks',
    above_75 Float64 COMMENT 'Chance that this share is above 75 %',
    scored Bool COMMENT 'True once the 1,008 blocks have come',
    outcome Float64 COMMENT 'Their share of these blocks; NaN before',
    inside Bool COMMENT 'True where the outcome lies in the interval; false before',
    brier Float64 COMMENT 'Squared difference of above_75 and what came (1 above 75 %, else 0); NaN before'
)
AS SELECT f.attribution_id AS attribution_id, f.chain AS chain, f.view AS view, f.height AS height, lower(hex(f.tip_hash)) AS tip_hash,
    f.time AS time, f.drift AS drift, f.share AS share, f.low AS low, f.high AS high, f.above_75 AS above_75,
    toBool(o.height > 0) AS scored, if(scored, o.outcome, nan) AS outcome, toBool(scored AND o.outcome BETWEEN f.low AND f.high) AS inside,
    if(scored, pow(f.above_75 - (o.outcome > 0.75), 2), nan) AS brier
FROM
(
    SELECT * FROM share_forecasts_log FINAL
    WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
) AS f
LEFT JOIN
(
    SELECT attribution_id, chain, view, height, outcome, height - 1008 AS made_at FROM share_forecasts_log FINAL WHERE NOT isNaN(outcome)
) AS o ON f.attribution_id = o.attribution_id AND f.chain = o.chain AND f.view = o.view AND f.height = o.made_at
COMMENT 'A forecast a day of the four leaders and its score: share of the next 1,008 blocks, chance above 75 %, and what came';
