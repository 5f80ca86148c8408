CREATE OR REPLACE VIEW substitutability
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size, location or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    items UInt32 COMMENT 'Different things offered; 0 for layers other than serving',
    providers_mean Nullable(Float64) COMMENT 'Providers of an item, mean over the items',
    providers_median Nullable(Float64) COMMENT 'Providers of an item, median over the items',
    single_provider_share Nullable(Float64) COMMENT 'Share of the items with one provider only',
    age_days Int64 COMMENT 'Days from the end of the period to now'
)
AS SELECT series, list_id, release_id, layer, unit, period_start, period_end, items, providers_mean, providers_median, single_provider_share, age_days
FROM placement
WHERE items > 0
COMMENT 'How many providers each item has';
