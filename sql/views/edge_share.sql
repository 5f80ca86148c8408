CREATE OR REPLACE VIEW edge_share
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size, location or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    missing Array(String) COMMENT 'Owners of the list that the release lacks: not known, never zero',
    cutoff Nullable(Float64) COMMENT 'A missing owner has less than this; NULL where the source has no cutoff',
    edge_share Nullable(Float64) COMMENT 'Device and edge, of what has a known venue; NULL where nothing has',
    edge_share_lower Nullable(Float64) COMMENT 'The same with every unknown venue, and every missing owner at the cutoff, against the edge',
    edge_share_upper Nullable(Float64) COMMENT 'The same with them for the edge',
    other_lists Array(Tuple(list_id String, edge_share Nullable(Float64))) COMMENT 'The share of the same release by every other include-list of the series',
    age_days Int64 COMMENT 'Days from the end of the period to now'
)
AS SELECT series, list_id, release_id, layer, unit, period_start, period_end, missing, cutoff, edge_share, edge_share_lower, edge_share_upper,
    arraySort(arrayFilter(other -> other.1 != list_id,
        groupArray((toString(list_id), edge_share)) OVER (PARTITION BY series, release_id))) AS other_lists,
    age_days
FROM placement
WHERE edge_share IS NOT NULL
COMMENT 'The edge share of each period by each include-list, with the share by the other lists beside it: the answer depends on the list';
