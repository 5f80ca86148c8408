CREATE OR REPLACE VIEW forecasts
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    owner String COMMENT 'Whose part it is',
    part LowCardinality(String) COMMENT 'Part of the source; values of one owner add up over parts',
    item String COMMENT 'What is owned or offered',
    value Float64 COMMENT 'Value in the unit of the release',
    value_p5 Nullable(Float64) COMMENT '5th percentile, where the source has one',
    value_p95 Nullable(Float64) COMMENT '95th percentile, where the source has one',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size, location or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    source String COMMENT 'Where the values come from',
    licence String COMMENT 'Licence of the source'
)
AS SELECT series, release_id, owner, part, item, value, value_p5, value_p95, kind, layer, unit, period_start, period_end, published_at, source, licence
FROM observations
WHERE kind = 'forecast' AND is_current
COMMENT 'Published forecasts: context that is shown and that nothing that scores reads';
