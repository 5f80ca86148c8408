CREATE OR REPLACE VIEW placement
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size, location or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    device Float64 COMMENT 'Total on devices',
    edge Float64 COMMENT 'Total at the edge',
    on_premises Float64 COMMENT 'Total on premises',
    regional_cloud Float64 COMMENT 'Total at regional and specialised clouds',
    hyperscale Float64 COMMENT 'Total at hyperscale clouds',
    unknown Float64 COMMENT 'Total without a known venue',
    missing Array(String) COMMENT 'Owners of the list that the release lacks: not known, never zero',
    outside Array(String) COMMENT 'Owners of the release that the list does not know',
    cutoff Nullable(Float64) COMMENT 'A missing owner has less than this; NULL where the source has no cutoff',
    edge_share Nullable(Float64) COMMENT 'Device and edge, of what has a known venue; NULL where nothing has',
    edge_share_lower Nullable(Float64) COMMENT 'The same with every unknown venue, and every missing owner at the cutoff, against the edge',
    edge_share_upper Nullable(Float64) COMMENT 'The same with them for the edge',
    edge_share_low_independent Nullable(Float64) COMMENT '2.5 % quantile of edge_share, errors of the source independent; NULL where the series states no uncertainty',
    edge_share_high_independent Nullable(Float64) COMMENT '97.5 % quantile of edge_share, errors of the source independent',
    edge_share_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of edge_share, errors of the source correlated',
    edge_share_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of edge_share, errors of the source correlated',
    items UInt32 COMMENT 'Different things offered; 0 for layers other than serving',
    providers_mean Nullable(Float64) COMMENT 'Providers of an item, mean over the items',
    providers_median Nullable(Float64) COMMENT 'Providers of an item, median over the items',
    single_provider_share Nullable(Float64) COMMENT 'Share of the items with one provider only',
    age_days Int64 COMMENT 'Days from the end of the period to now'
)
AS SELECT series, list_id, catalogue_id, release_id, layer, unit, period_start, period_end, published_at, device, edge, on_premises, regional_cloud, hyperscale, unknown, missing, outside, cutoff, edge_share, edge_share_lower, edge_share_upper, edge_share_low_independent, edge_share_high_independent, edge_share_low_correlated, edge_share_high_correlated, items, providers_mean, providers_median, single_provider_share, dateDiff('day', period_end, today()) AS age_days
FROM placement_log FINAL
WHERE (series, catalogue_id) IN (SELECT series, catalogue_id FROM series)
  AND (series, release_id) IN (SELECT series, release_id FROM release_current_log FINAL WHERE kind = 'measured')
COMMENT 'Where the values of each period run, and how replaceable providers are, by include-list';
