CREATE OR REPLACE VIEW observations
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    owner String COMMENT 'Whose part it is',
    venue LowCardinality(String) COMMENT 'Where it runs by its source: device, edge, on_premises, regional_cloud, hyperscale or unknown',
    part LowCardinality(String) COMMENT 'Part of the source; values of one owner add up over parts',
    item String COMMENT 'What is owned or offered',
    value Float64 COMMENT 'Value in the unit of the release',
    value_p5 Nullable(Float64) COMMENT '5th percentile, where the source has one',
    value_p95 Nullable(Float64) COMMENT '95th percentile, where the source has one',
    residual Bool COMMENT 'True for a bucket that is no single owner',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size, location or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    source String COMMENT 'Where the values come from',
    licence String COMMENT 'Licence of the source',
    is_current Bool COMMENT 'True where it stands for its period: the last published of full coverage that was not withdrawn'
)
AS SELECT o.series AS series, o.release_id AS release_id, o.owner AS owner, o.venue AS venue, o.part AS part, o.item AS item, o.value AS value, o.value_p5 AS value_p5, o.value_p95 AS value_p95, o.residual AS residual, r.kind AS kind, r.layer AS layer, r.unit AS unit, r.period_start AS period_start, r.period_end AS period_end, r.published_at AS published_at, r.source AS source, r.licence AS licence, r.is_current AS is_current
FROM (SELECT * FROM release_observations_log FINAL) AS o
INNER JOIN releases_all AS r ON o.series = r.series AND o.release_id = r.release_id
COMMENT 'The values of every complete release, owner by owner';
