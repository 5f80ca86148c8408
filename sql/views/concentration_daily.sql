CREATE OR REPLACE VIEW concentration_daily
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the row rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    metric LowCardinality(String) COMMENT 'Name of the metric, as the column of concentration',
    day Date COMMENT 'UTC day of the header times',
    from_height UInt32 COMMENT 'Lowest height of the day',
    to_height UInt32 COMMENT 'Highest height of the day; its value is that of the end of the day',
    blocks UInt64 COMMENT 'Heights of the day; those whose window is not full are left out',
    first Float64 COMMENT 'Value at from_height',
    last Float64 COMMENT 'Value at to_height',
    lowest Float64 COMMENT 'Lowest value of the day',
    highest Float64 COMMENT 'Highest value of the day'
)
AS SELECT attribution_id, chain, view, window_blocks, metric, day, min(p.from_height) AS from_height, max(p.to_height) AS to_height,
    sum(p.blocks) AS blocks, argMin(p.first, p.from_height) AS first, argMax(p.last, p.to_height) AS last,
    ifNull(minOrNullIf(p.lowest, NOT isNaN(p.lowest)), nan) AS lowest, ifNull(maxOrNullIf(p.highest, NOT isNaN(p.highest)), nan) AS highest
FROM
(
    SELECT *, max(version) OVER (PARTITION BY attribution_id, chain, view, window_blocks, metric, bucket) AS newest
    FROM concentration_daily_log FINAL
) AS p
WHERE version = newest AND p.blocks > 0
    AND (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
GROUP BY attribution_id, chain, view, window_blocks, metric, day
COMMENT 'Every metric by UTC day: first, last, lowest and highest value. For long charts: choose chain, view, window_blocks and metric';
