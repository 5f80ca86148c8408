-- The names that readers of the AI side use. A view shows, of every fact, the one row that stands, under the entry of the catalogue that is
-- current. Ages are taken at the moment of the question.

CREATE OR REPLACE VIEW series
(
    series LowCardinality(String) COMMENT 'Series',
    catalogue_id LowCardinality(String) COMMENT 'Hash of the entry',
    title String COMMENT 'Title',
    measures String COMMENT 'What it measures',
    owner_means String COMMENT 'What an owner is',
    layer LowCardinality(String) COMMENT 'Layer',
    kind LowCardinality(String) COMMENT 'measured or forecast',
    unit LowCardinality(String) COMMENT 'Unit',
    cadence_days UInt16 COMMENT 'How often the source publishes',
    lag_days UInt16 COMMENT 'How long after the end of a period it usually does',
    source String COMMENT 'Source',
    licence String COMMENT 'Licence',
    pairs_with_mining Bool COMMENT 'Whether it is a side of the asymmetry score',
    document String COMMENT 'The whole entry as JSON'
)
AS SELECT series, catalogue_id, title, measures, owner_means, layer, kind, unit, cadence_days, lag_days, source, licence, pairs_with_mining, document
FROM series_log FINAL
ORDER BY series, version DESC
LIMIT 1 BY series
COMMENT 'The catalogue: what each market series measures, and how it is read';

CREATE OR REPLACE VIEW series_entries
(
    series LowCardinality(String) COMMENT 'Series',
    catalogue_id LowCardinality(String) COMMENT 'Hash of the entry of the catalogue',
    list_id LowCardinality(String) COMMENT 'Include-list',
    owner String COMMENT 'Owner',
    counts Bool COMMENT 'Whether it counts',
    venue LowCardinality(String) COMMENT 'Where it runs by the list; empty where the list leaves that to the source',
    reason String COMMENT 'Why it counts, or does not'
)
AS SELECT series, catalogue_id, list_id, owner, counts, venue, reason
FROM series_entries_log FINAL
WHERE (series, catalogue_id) IN (SELECT series, catalogue_id FROM series)
COMMENT 'Who counts in each include-list of a series, and who does not, each with its reason';

CREATE OR REPLACE VIEW releases_all
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'SHA-256 of the content of the release, hexadecimal',
    values_id String COMMENT 'The same without the time of publication: equal where a source published the same again',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    source String COMMENT 'Where the values come from',
    licence String COMMENT 'Licence of the source',
    coverage LowCardinality(String) COMMENT 'full, or partial where the period is not all here: shown and never scored',
    coverage_note String COMMENT 'What is missing of a partial release',
    method String COMMENT 'What the source counted with, in its words',
    cutoff Nullable(Float64) COMMENT 'The source lists nothing below this value; NULL where it lists everything',
    parts Array(String) COMMENT 'Parts of the source that the release draws on',
    observations UInt32 COMMENT 'Observations in the release',
    total Float64 COMMENT 'Sum of all values, residual buckets and what no list counts included',
    withdrawn_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was taken back; NULL where it stands',
    is_current Bool COMMENT 'True where it stands for its period: the last published of full coverage that was not withdrawn'
)
AS SELECT series, release_id, values_id, kind, layer, unit, period_start, period_end, published_at, source, licence, coverage, coverage_note, method, cutoff, parts, observations, total, withdrawn_at,
    (series, toString(release_id)) IN (SELECT series, release_id FROM release_current_log FINAL) AS is_current
FROM releases_log FINAL
COMMENT 'Every complete release: restated, partial and withdrawn ones among them';

CREATE OR REPLACE VIEW releases
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'SHA-256 of the content of the release, hexadecimal',
    values_id String COMMENT 'The same without the time of publication: equal where a source published the same again',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    source String COMMENT 'Where the values come from',
    licence String COMMENT 'Licence of the source',
    coverage LowCardinality(String) COMMENT 'full, or partial where the period is not all here: shown and never scored',
    coverage_note String COMMENT 'What is missing of a partial release',
    method String COMMENT 'What the source counted with, in its words',
    cutoff Nullable(Float64) COMMENT 'The source lists nothing below this value; NULL where it lists everything',
    parts Array(String) COMMENT 'Parts of the source that the release draws on',
    observations UInt32 COMMENT 'Observations in the release',
    total Float64 COMMENT 'Sum of all values, residual buckets and what no list counts included',
    withdrawn_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was taken back; NULL where it stands'
)
AS SELECT series, release_id, values_id, kind, layer, unit, period_start, period_end, published_at, source, licence, coverage, coverage_note, method, cutoff, parts, observations, total, withdrawn_at
FROM releases_all
WHERE is_current
COMMENT 'The release that stands for each period of each series';

CREATE OR REPLACE VIEW incomplete_releases
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    chunks_here UInt16 COMMENT 'Chunks that are here',
    chunks UInt16 COMMENT 'Chunks that it has'
)
AS SELECT series, release_id, toUInt16(uniqExact(chunk)) AS chunks_here, max(c.chunks) AS chunks
FROM (SELECT * FROM release_chunks_log FINAL) AS c
WHERE NOT withdrawn AND (series, release_id) NOT IN (SELECT series, release_id FROM releases_log)
GROUP BY series, release_id
COMMENT 'Releases that wait for chunks, or whose chunks do not hash to their name';

CREATE OR REPLACE VIEW observations
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    owner String COMMENT 'Whose part it is',
    venue LowCardinality(String) COMMENT 'Where it runs, as the source says: device, edge, on_premises, regional_cloud, hyperscale or unknown',
    part LowCardinality(String) COMMENT 'Part of the source; values of one owner add up over parts',
    item String COMMENT 'What is held or offered',
    value Float64 COMMENT 'Value in the unit of the release',
    value_p5 Nullable(Float64) COMMENT '5th percentile, where the source has one',
    value_p95 Nullable(Float64) COMMENT '95th percentile, where the source has one',
    residual Bool COMMENT 'True for a bucket that is no single owner',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
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

CREATE OR REPLACE VIEW forecasts
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    owner String COMMENT 'Whose part it is',
    part LowCardinality(String) COMMENT 'Part of the source; values of one owner add up over parts',
    item String COMMENT 'What is held or offered',
    value Float64 COMMENT 'Value in the unit of the release',
    value_p5 Nullable(Float64) COMMENT '5th percentile, where the source has one',
    value_p95 Nullable(Float64) COMMENT '95th percentile, where the source has one',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
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

CREATE OR REPLACE VIEW dispersion_all
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    treatment Enum8('dropped' = 0, 'one_owner' = 1, 'spread' = 2) COMMENT 'What a residual bucket is: left out, one owner, or bucket_owners equal owners',
    bucket_owners UInt32 COMMENT 'Into how many owners each bucket is cut',
    owners UInt32 COMMENT 'Named owners above zero',
    buckets UInt32 COMMENT 'Residual buckets above zero',
    missing UInt32 COMMENT 'Owners of the list that the release lacks: not known, never zero',
    outside UInt32 COMMENT 'Owners of the release that the list does not know',
    imputed UInt32 COMMENT 'Observations without an error of their own, which got that of the others',
    total Float64 COMMENT 'The denominator: what is treated as there',
    residual_share Float64 COMMENT 'Share of the buckets of all, whatever the treatment',
    d2 Float64 COMMENT 'Effective number of owners of order 2',
    d1 Float64 COMMENT 'Effective number of owners of order 1',
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1',
    top1 Float64 COMMENT 'Share of the largest named owner in total; a bucket is never ranked',
    top2 Float64 COMMENT 'Share of the 2 largest named owners in total',
    top3 Float64 COMMENT 'Share of the 3 largest named owners in total',
    top4 Float64 COMMENT 'Share of the 4 largest named owners in total',
    d2_low_independent Nullable(Float64) COMMENT '2.5 % quantile of d2, errors of the source independent; NULL where the series states no uncertainty',
    d2_high_independent Nullable(Float64) COMMENT '97.5 % quantile of d2, errors of the source independent',
    d2_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of d2, errors of the source correlated; NULL where the series states no uncertainty',
    d2_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of d2, errors of the source correlated',
    d1_low_independent Nullable(Float64) COMMENT '2.5 % quantile of d1, errors of the source independent; NULL where the series states no uncertainty',
    d1_high_independent Nullable(Float64) COMMENT '97.5 % quantile of d1, errors of the source independent',
    d1_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of d1, errors of the source correlated; NULL where the series states no uncertainty',
    d1_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of d1, errors of the source correlated',
    hhi_low_independent Nullable(Float64) COMMENT '2.5 % quantile of hhi, errors of the source independent; NULL where the series states no uncertainty',
    hhi_high_independent Nullable(Float64) COMMENT '97.5 % quantile of hhi, errors of the source independent',
    hhi_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of hhi, errors of the source correlated; NULL where the series states no uncertainty',
    hhi_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of hhi, errors of the source correlated',
    top4_low_independent Nullable(Float64) COMMENT '2.5 % quantile of top4, errors of the source independent; NULL where the series states no uncertainty',
    top4_high_independent Nullable(Float64) COMMENT '97.5 % quantile of top4, errors of the source independent',
    top4_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of top4, errors of the source correlated; NULL where the series states no uncertainty',
    top4_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of top4, errors of the source correlated',
    is_current Bool COMMENT 'True where it stands for its period: the last published of full coverage that was not withdrawn'
)
AS SELECT series, list_id, catalogue_id, release_id, layer, unit, period_start, period_end, published_at, treatment, bucket_owners, owners, buckets, missing, outside, imputed, total, residual_share, d2, d1, hhi, top1, top2, top3, top4, d2_low_independent, d2_high_independent, d2_low_correlated, d2_high_correlated, d1_low_independent, d1_high_independent, d1_low_correlated, d1_high_correlated, hhi_low_independent, hhi_high_independent, hhi_low_correlated, hhi_high_correlated, top4_low_independent, top4_high_independent, top4_low_correlated, top4_high_correlated,
    (series, release_id) IN (SELECT series, release_id FROM release_current_log FINAL WHERE kind = 'measured') AS is_current
FROM dispersion_log FINAL
WHERE (series, catalogue_id) IN (SELECT series, catalogue_id FROM series)
COMMENT 'Dispersion of every scorable release, restated ones among them, under the current catalogue';

CREATE OR REPLACE VIEW dispersion
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    treatment Enum8('dropped' = 0, 'one_owner' = 1, 'spread' = 2) COMMENT 'What a residual bucket is: left out, one owner, or bucket_owners equal owners',
    bucket_owners UInt32 COMMENT 'Into how many owners each bucket is cut',
    owners UInt32 COMMENT 'Named owners above zero',
    buckets UInt32 COMMENT 'Residual buckets above zero',
    missing UInt32 COMMENT 'Owners of the list that the release lacks: not known, never zero',
    outside UInt32 COMMENT 'Owners of the release that the list does not know',
    imputed UInt32 COMMENT 'Observations without an error of their own, which got that of the others',
    total Float64 COMMENT 'The denominator: what is treated as there',
    residual_share Float64 COMMENT 'Share of the buckets of all, whatever the treatment',
    d2 Float64 COMMENT 'Effective number of owners of order 2',
    d1 Float64 COMMENT 'Effective number of owners of order 1',
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1',
    top1 Float64 COMMENT 'Share of the largest named owner in total; a bucket is never ranked',
    top2 Float64 COMMENT 'Share of the 2 largest named owners in total',
    top3 Float64 COMMENT 'Share of the 3 largest named owners in total',
    top4 Float64 COMMENT 'Share of the 4 largest named owners in total',
    d2_low_independent Nullable(Float64) COMMENT '2.5 % quantile of d2, errors of the source independent; NULL where the series states no uncertainty',
    d2_high_independent Nullable(Float64) COMMENT '97.5 % quantile of d2, errors of the source independent',
    d2_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of d2, errors of the source correlated; NULL where the series states no uncertainty',
    d2_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of d2, errors of the source correlated',
    d1_low_independent Nullable(Float64) COMMENT '2.5 % quantile of d1, errors of the source independent; NULL where the series states no uncertainty',
    d1_high_independent Nullable(Float64) COMMENT '97.5 % quantile of d1, errors of the source independent',
    d1_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of d1, errors of the source correlated; NULL where the series states no uncertainty',
    d1_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of d1, errors of the source correlated',
    hhi_low_independent Nullable(Float64) COMMENT '2.5 % quantile of hhi, errors of the source independent; NULL where the series states no uncertainty',
    hhi_high_independent Nullable(Float64) COMMENT '97.5 % quantile of hhi, errors of the source independent',
    hhi_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of hhi, errors of the source correlated; NULL where the series states no uncertainty',
    hhi_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of hhi, errors of the source correlated',
    top4_low_independent Nullable(Float64) COMMENT '2.5 % quantile of top4, errors of the source independent; NULL where the series states no uncertainty',
    top4_high_independent Nullable(Float64) COMMENT '97.5 % quantile of top4, errors of the source independent',
    top4_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of top4, errors of the source correlated; NULL where the series states no uncertainty',
    top4_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of top4, errors of the source correlated',
    age_days Int64 COMMENT 'Days from the end of the period to now'
)
AS SELECT series, list_id, catalogue_id, release_id, layer, unit, period_start, period_end, published_at, treatment, bucket_owners, owners, buckets, missing, outside, imputed, total, residual_share, d2, d1, hhi, top1, top2, top3, top4, d2_low_independent, d2_high_independent, d2_low_correlated, d2_high_correlated, d1_low_independent, d1_high_independent, d1_low_correlated, d1_high_correlated, hhi_low_independent, hhi_high_independent, hhi_low_correlated, hhi_high_correlated, top4_low_independent, top4_high_independent, top4_low_correlated, top4_high_correlated, dateDiff('day', period_end, today()) AS age_days
FROM dispersion_all
WHERE is_current
COMMENT 'Dispersion over owners of each period, by include-list, under all three residual treatments';

CREATE OR REPLACE VIEW placement
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
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

CREATE OR REPLACE VIEW edge_share
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    missing Array(String) COMMENT 'Owners of the list that the release lacks: not known, never zero',
    cutoff Nullable(Float64) COMMENT 'A missing owner has less than this; NULL where the source has no cutoff',
    edge_share Nullable(Float64) COMMENT 'Device and edge, of what has a known venue; NULL where nothing has',
    edge_share_lower Nullable(Float64) COMMENT 'The same with every unknown venue, and every missing owner at the cutoff, against the edge',
    edge_share_upper Nullable(Float64) COMMENT 'The same with them for the edge',
    other_lists Array(Tuple(list_id String, edge_share Nullable(Float64))) COMMENT 'What every other include-list of the series says of the same release',
    age_days Int64 COMMENT 'Days from the end of the period to now'
)
AS SELECT series, list_id, release_id, layer, unit, period_start, period_end, missing, cutoff, edge_share, edge_share_lower, edge_share_upper,
    arraySort(arrayFilter(other -> other.1 != list_id,
        groupArray((toString(list_id), edge_share)) OVER (PARTITION BY series, release_id))) AS other_lists,
    age_days
FROM placement
WHERE edge_share IS NOT NULL
COMMENT 'The edge share of each period by each include-list, with what the other lists say beside it: the answer hangs on the list';

CREATE OR REPLACE VIEW substitutability
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
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

CREATE OR REPLACE VIEW growth
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    period_start Date32 COMMENT 'First day of the period',
    period_end Date32 COMMENT 'Last day of the period',
    span LowCardinality(String) COMMENT 'period: against the period before; year: against the same day a year before',
    release_id String COMMENT 'Release',
    base_release_id String COMMENT 'Release that it is compared with',
    base_period_end Date32 COMMENT 'Last day of the period of that release',
    total_ratio Float64 COMMENT 'Total now over total then; grows with coverage too',
    like_for_like_ratio Nullable(Float64) COMMENT 'The same over what both releases hold; NULL where they share nothing above zero',
    compared_share Float64 COMMENT 'Share of the total now that is compared like for like',
    parts_added Array(String) COMMENT 'Parts of the source that only the newer release draws on',
    parts_dropped Array(String) COMMENT 'Parts of the source that only the older release draws on',
    method_changed Bool COMMENT 'True where the two were counted differently'
)
AS SELECT series, list_id, period_start, period_end, span, release_id, base_release_id, base_period_end, total_ratio, like_for_like_ratio, compared_share, parts_added, parts_dropped, method_changed
FROM growth_log FINAL
COMMENT 'Growth of a series between current releases, as given and like for like';

CREATE OR REPLACE VIEW asymmetry
(
    series LowCardinality(String) COMMENT 'Market series of the pair',
    list_id LowCardinality(String) COMMENT 'Include-list that the series is read by',
    chain LowCardinality(String) COMMENT 'Chain of the mining side',
    view LowCardinality(String) COMMENT 'View of the mining side: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the mining side in blocks',
    knowledge Enum8('live' = 0, 'latest' = 1) COMMENT 'live: only what was published by the end of the day; latest: all that is known now, perhaps hindsight',
    day Date COMMENT 'UTC day that the row speaks of',
    ai_layer LowCardinality(String) COMMENT 'Layer of the AI side: who owns, who serves, …',
    mining_layer LowCardinality(String) COMMENT 'Layer of the mining side: operation (pools); not the same as ownership',
    valid_at DateTime64(3, 'UTC') COMMENT 'Moment that the row speaks of',
    known_at DateTime64(3, 'UTC') COMMENT 'When the last of its inputs became known',
    hindsight Bool COMMENT 'True where an input became known only after the end of the day',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release of the AI side',
    period_end Date32 COMMENT 'End of its period',
    published_at DateTime64(3, 'UTC') COMMENT 'Its publication',
    ai_age_days Float64 COMMENT 'Days from the end of its period to valid_at',
    bucket_owners UInt32 COMMENT 'Into how many owners a bucket is cut under the treatment spread',
    attribution_id LowCardinality(String) COMMENT 'Attribution set of the mining side',
    tip_height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of that block, hexadecimal',
    known_blocks UInt16 COMMENT 'Attributed blocks of the window',
    unknown_blocks UInt16 COMMENT 'Unattributed blocks of the window, left out',
    mining_age_days Float64 COMMENT 'Days from that block to valid_at',
    d2_mining Float64 COMMENT 'Effective number of pools or entities of order 2',
    d2_mining_low Float64 COMMENT '2.5 % quantile of d2_mining',
    d2_mining_high Float64 COMMENT '97.5 % quantile of d2_mining',
    drift_sd Float64 COMMENT 'Standard deviation, in doublings, that the ages of both sides add to the intervals',
    d2_ai_dropped Float64 COMMENT 'Effective number of owners on the AI side, residual buckets left out',
    l_dropped Float64 COMMENT 'L in doublings, residual buckets left out: log2 of d2_ai_dropped over d2_mining',
    a_dropped Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_dropped_low_independent Float64 COMMENT '2.5 % quantile of L, residual buckets left out, errors of the source independent',
    l_dropped_high_independent Float64 COMMENT '97.5 % quantile of L, residual buckets left out, errors of the source independent',
    p_dropped_independent Float64 COMMENT 'Probability that L is above 0, residual buckets left out, errors of the source independent',
    l_dropped_low_correlated Float64 COMMENT '2.5 % quantile of L, residual buckets left out, errors of the source correlated',
    l_dropped_high_correlated Float64 COMMENT '97.5 % quantile of L, residual buckets left out, errors of the source correlated',
    p_dropped_correlated Float64 COMMENT 'Probability that L is above 0, residual buckets left out, errors of the source correlated',
    trend_dropped Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, residual buckets left out; NULL below five periods',
    d2_ai_one_owner Float64 COMMENT 'Effective number of owners on the AI side, each bucket one owner',
    l_one_owner Float64 COMMENT 'L in doublings, each bucket one owner: log2 of d2_ai_one_owner over d2_mining',
    a_one_owner Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_one_owner_low_independent Float64 COMMENT '2.5 % quantile of L, each bucket one owner, errors of the source independent',
    l_one_owner_high_independent Float64 COMMENT '97.5 % quantile of L, each bucket one owner, errors of the source independent',
    p_one_owner_independent Float64 COMMENT 'Probability that L is above 0, each bucket one owner, errors of the source independent',
    l_one_owner_low_correlated Float64 COMMENT '2.5 % quantile of L, each bucket one owner, errors of the source correlated',
    l_one_owner_high_correlated Float64 COMMENT '97.5 % quantile of L, each bucket one owner, errors of the source correlated',
    p_one_owner_correlated Float64 COMMENT 'Probability that L is above 0, each bucket one owner, errors of the source correlated',
    trend_one_owner Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, each bucket one owner; NULL below five periods',
    d2_ai_spread Float64 COMMENT 'Effective number of owners on the AI side, each bucket cut into bucket_owners equal owners',
    l_spread Float64 COMMENT 'L in doublings, each bucket cut into bucket_owners equal owners: log2 of d2_ai_spread over d2_mining',
    a_spread Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_spread_low_independent Float64 COMMENT '2.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source independent',
    l_spread_high_independent Float64 COMMENT '97.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source independent',
    p_spread_independent Float64 COMMENT 'Probability that L is above 0, each bucket cut into bucket_owners equal owners, errors of the source independent',
    l_spread_low_correlated Float64 COMMENT '2.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    l_spread_high_correlated Float64 COMMENT '97.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    p_spread_correlated Float64 COMMENT 'Probability that L is above 0, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    trend_spread Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, each bucket cut into bucket_owners equal owners; NULL below five periods',
    l_min Float64 COMMENT 'Smallest L of the three treatments',
    l_max Float64 COMMENT 'Largest L of the three treatments',
    low_independent Float64 COMMENT 'Lowest 2.5 % quantile of the three treatments, errors independent',
    high_independent Float64 COMMENT 'Highest 97.5 % quantile of the three treatments, errors independent',
    low_correlated Float64 COMMENT 'Lowest 2.5 % quantile of the three treatments, errors correlated',
    high_correlated Float64 COMMENT 'Highest 97.5 % quantile of the three treatments, errors correlated',
    level LowCardinality(String) COMMENT 'ai_more_dispersed, mining_more_dispersed, or no_call unless all treatments and both error models agree at 95 %',
    regime LowCardinality(String) COMMENT 'Over a year: diverging, converging, both_concentrating, both_dispersing or no_call',
    gap LowCardinality(String) COMMENT 'Over a year: opening, closing or no_call',
    horizon_release_id String COMMENT 'Release of a year before; empty where there is none',
    horizon_tip_height Nullable(UInt32) COMMENT 'Last height of the window of a year before; NULL where there is none',
    coverage_changed Bool COMMENT 'True where the two releases draw on different parts of the source; the regime then compares what they share',
    trend_periods UInt16 COMMENT 'Periods behind the trends',
    release_changed Bool COMMENT 'True where the AI side is another release than the day before',
    mining_changed Bool COMMENT 'True where the mining side is another window than the day before',
    inputs_id String COMMENT 'Hash of all inputs: rows of equal id are equal'
)
AS SELECT series, list_id, chain, view, window_blocks, knowledge, day, ai_layer, mining_layer, valid_at, known_at, hindsight, catalogue_id, release_id, period_end, published_at, ai_age_days, bucket_owners, attribution_id, tip_height, tip_hash, known_blocks, unknown_blocks, mining_age_days, d2_mining, d2_mining_low, d2_mining_high, drift_sd, d2_ai_dropped, l_dropped, a_dropped, l_dropped_low_independent, l_dropped_high_independent, p_dropped_independent, l_dropped_low_correlated, l_dropped_high_correlated, p_dropped_correlated, trend_dropped, d2_ai_one_owner, l_one_owner, a_one_owner, l_one_owner_low_independent, l_one_owner_high_independent, p_one_owner_independent, l_one_owner_low_correlated, l_one_owner_high_correlated, p_one_owner_correlated, trend_one_owner, d2_ai_spread, l_spread, a_spread, l_spread_low_independent, l_spread_high_independent, p_spread_independent, l_spread_low_correlated, l_spread_high_correlated, p_spread_correlated, trend_spread, l_min, l_max, low_independent, high_independent, low_correlated, high_correlated, level, regime, gap, horizon_release_id, horizon_tip_height, coverage_changed, trend_periods, release_changed, mining_changed, inputs_id
FROM asymmetry_log FINAL
WHERE kind = 'day'
COMMENT 'The asymmetry score of every pair at the end of each UTC day: three treatments, their envelope, its intervals, and a call only where all agree';

CREATE OR REPLACE VIEW latest_asymmetry
(
    series LowCardinality(String) COMMENT 'Market series of the pair',
    list_id LowCardinality(String) COMMENT 'Include-list that the series is read by',
    chain LowCardinality(String) COMMENT 'Chain of the mining side',
    view LowCardinality(String) COMMENT 'View of the mining side: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the mining side in blocks',
    knowledge Enum8('live' = 0, 'latest' = 1) COMMENT 'live: only what was published by the end of the day; latest: all that is known now, perhaps hindsight',
    day Date COMMENT 'UTC day that the row speaks of',
    ai_layer LowCardinality(String) COMMENT 'Layer of the AI side: who owns, who serves, …',
    mining_layer LowCardinality(String) COMMENT 'Layer of the mining side: operation (pools); not the same as ownership',
    valid_at DateTime64(3, 'UTC') COMMENT 'Moment that the row speaks of',
    known_at DateTime64(3, 'UTC') COMMENT 'When the last of its inputs became known',
    hindsight Bool COMMENT 'True where an input became known only after the end of the day',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release of the AI side',
    period_end Date32 COMMENT 'End of its period',
    published_at DateTime64(3, 'UTC') COMMENT 'Its publication',
    ai_age_days Float64 COMMENT 'Days from the end of its period to valid_at',
    bucket_owners UInt32 COMMENT 'Into how many owners a bucket is cut under the treatment spread',
    attribution_id LowCardinality(String) COMMENT 'Attribution set of the mining side',
    tip_height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of that block, hexadecimal',
    known_blocks UInt16 COMMENT 'Attributed blocks of the window',
    unknown_blocks UInt16 COMMENT 'Unattributed blocks of the window, left out',
    mining_age_days Float64 COMMENT 'Days from that block to valid_at',
    d2_mining Float64 COMMENT 'Effective number of pools or entities of order 2',
    d2_mining_low Float64 COMMENT '2.5 % quantile of d2_mining',
    d2_mining_high Float64 COMMENT '97.5 % quantile of d2_mining',
    drift_sd Float64 COMMENT 'Standard deviation, in doublings, that the ages of both sides add to the intervals',
    d2_ai_dropped Float64 COMMENT 'Effective number of owners on the AI side, residual buckets left out',
    l_dropped Float64 COMMENT 'L in doublings, residual buckets left out: log2 of d2_ai_dropped over d2_mining',
    a_dropped Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_dropped_low_independent Float64 COMMENT '2.5 % quantile of L, residual buckets left out, errors of the source independent',
    l_dropped_high_independent Float64 COMMENT '97.5 % quantile of L, residual buckets left out, errors of the source independent',
    p_dropped_independent Float64 COMMENT 'Probability that L is above 0, residual buckets left out, errors of the source independent',
    l_dropped_low_correlated Float64 COMMENT '2.5 % quantile of L, residual buckets left out, errors of the source correlated',
    l_dropped_high_correlated Float64 COMMENT '97.5 % quantile of L, residual buckets left out, errors of the source correlated',
    p_dropped_correlated Float64 COMMENT 'Probability that L is above 0, residual buckets left out, errors of the source correlated',
    trend_dropped Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, residual buckets left out; NULL below five periods',
    d2_ai_one_owner Float64 COMMENT 'Effective number of owners on the AI side, each bucket one owner',
    l_one_owner Float64 COMMENT 'L in doublings, each bucket one owner: log2 of d2_ai_one_owner over d2_mining',
    a_one_owner Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_one_owner_low_independent Float64 COMMENT '2.5 % quantile of L, each bucket one owner, errors of the source independent',
    l_one_owner_high_independent Float64 COMMENT '97.5 % quantile of L, each bucket one owner, errors of the source independent',
    p_one_owner_independent Float64 COMMENT 'Probability that L is above 0, each bucket one owner, errors of the source independent',
    l_one_owner_low_correlated Float64 COMMENT '2.5 % quantile of L, each bucket one owner, errors of the source correlated',
    l_one_owner_high_correlated Float64 COMMENT '97.5 % quantile of L, each bucket one owner, errors of the source correlated',
    p_one_owner_correlated Float64 COMMENT 'Probability that L is above 0, each bucket one owner, errors of the source correlated',
    trend_one_owner Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, each bucket one owner; NULL below five periods',
    d2_ai_spread Float64 COMMENT 'Effective number of owners on the AI side, each bucket cut into bucket_owners equal owners',
    l_spread Float64 COMMENT 'L in doublings, each bucket cut into bucket_owners equal owners: log2 of d2_ai_spread over d2_mining',
    a_spread Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_spread_low_independent Float64 COMMENT '2.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source independent',
    l_spread_high_independent Float64 COMMENT '97.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source independent',
    p_spread_independent Float64 COMMENT 'Probability that L is above 0, each bucket cut into bucket_owners equal owners, errors of the source independent',
    l_spread_low_correlated Float64 COMMENT '2.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    l_spread_high_correlated Float64 COMMENT '97.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    p_spread_correlated Float64 COMMENT 'Probability that L is above 0, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    trend_spread Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, each bucket cut into bucket_owners equal owners; NULL below five periods',
    l_min Float64 COMMENT 'Smallest L of the three treatments',
    l_max Float64 COMMENT 'Largest L of the three treatments',
    low_independent Float64 COMMENT 'Lowest 2.5 % quantile of the three treatments, errors independent',
    high_independent Float64 COMMENT 'Highest 97.5 % quantile of the three treatments, errors independent',
    low_correlated Float64 COMMENT 'Lowest 2.5 % quantile of the three treatments, errors correlated',
    high_correlated Float64 COMMENT 'Highest 97.5 % quantile of the three treatments, errors correlated',
    level LowCardinality(String) COMMENT 'ai_more_dispersed, mining_more_dispersed, or no_call unless all treatments and both error models agree at 95 %',
    regime LowCardinality(String) COMMENT 'Over a year: diverging, converging, both_concentrating, both_dispersing or no_call',
    gap LowCardinality(String) COMMENT 'Over a year: opening, closing or no_call',
    horizon_release_id String COMMENT 'Release of a year before; empty where there is none',
    horizon_tip_height Nullable(UInt32) COMMENT 'Last height of the window of a year before; NULL where there is none',
    coverage_changed Bool COMMENT 'True where the two releases draw on different parts of the source; the regime then compares what they share',
    trend_periods UInt16 COMMENT 'Periods behind the trends',
    release_changed Bool COMMENT 'True where the AI side is another release than the day before',
    mining_changed Bool COMMENT 'True where the mining side is another window than the day before',
    inputs_id String COMMENT 'Hash of all inputs: rows of equal id are equal'
)
AS SELECT series, list_id, chain, view, window_blocks, knowledge, day, ai_layer, mining_layer, valid_at, known_at, hindsight, catalogue_id, release_id, period_end, published_at, ai_age_days, bucket_owners, attribution_id, tip_height, tip_hash, known_blocks, unknown_blocks, mining_age_days, d2_mining, d2_mining_low, d2_mining_high, drift_sd, d2_ai_dropped, l_dropped, a_dropped, l_dropped_low_independent, l_dropped_high_independent, p_dropped_independent, l_dropped_low_correlated, l_dropped_high_correlated, p_dropped_correlated, trend_dropped, d2_ai_one_owner, l_one_owner, a_one_owner, l_one_owner_low_independent, l_one_owner_high_independent, p_one_owner_independent, l_one_owner_low_correlated, l_one_owner_high_correlated, p_one_owner_correlated, trend_one_owner, d2_ai_spread, l_spread, a_spread, l_spread_low_independent, l_spread_high_independent, p_spread_independent, l_spread_low_correlated, l_spread_high_correlated, p_spread_correlated, trend_spread, l_min, l_max, low_independent, high_independent, low_correlated, high_correlated, level, regime, gap, horizon_release_id, horizon_tip_height, coverage_changed, trend_periods, release_changed, mining_changed, inputs_id
FROM asymmetry_log FINAL
WHERE kind = 'latest'
COMMENT 'The asymmetry score of every pair at the tip';

CREATE OR REPLACE VIEW asymmetry_changes
(
    series LowCardinality(String) COMMENT 'Market series of the pair',
    list_id LowCardinality(String) COMMENT 'Include-list that the series is read by',
    chain LowCardinality(String) COMMENT 'Chain of the mining side',
    view LowCardinality(String) COMMENT 'View of the mining side: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the mining side in blocks',
    knowledge Enum8('live' = 0, 'latest' = 1) COMMENT 'live: only what was published by the end of the day; latest: all that is known now, perhaps hindsight',
    kind Enum8('day' = 0, 'latest' = 1) COMMENT 'day: at the end of a UTC day; latest: at the tip',
    treatment LowCardinality(String) COMMENT 'Residual treatment',
    component LowCardinality(String) COMMENT 'ai_owner, coverage, method, revision, mining_pool or mining_attribution',
    name String COMMENT 'Owner, pool or part of the source',
    doublings Float64 COMMENT 'What it adds to the change of L over the year',
    day Date COMMENT 'UTC day that the row speaks of'
)
AS SELECT p.series AS series, p.list_id AS list_id, p.chain AS chain, p.view AS view, p.window_blocks AS window_blocks, p.knowledge AS knowledge, p.kind AS kind, p.treatment AS treatment, p.component AS component, p.name AS name, p.doublings AS doublings, r.day AS day
FROM (SELECT * FROM asymmetry_parts_log FINAL) AS p
INNER JOIN
(
    SELECT series, list_id, chain, view, window_blocks, knowledge, kind, slot, inputs_id, day FROM asymmetry_log FINAL
) AS r ON p.series = r.series AND p.list_id = r.list_id AND p.chain = r.chain AND p.view = r.view AND p.window_blocks = r.window_blocks
    AND p.knowledge = r.knowledge AND p.kind = r.kind AND p.slot = r.slot AND p.inputs_id = r.inputs_id
COMMENT 'What the change of L over a year is made of: parts of one row and treatment add up to it';

CREATE OR REPLACE VIEW miner_pivot
(
    company String COMMENT 'Listed mining company',
    period_start Nullable(Date32) COMMENT 'First day of the latest period that it reported; NULL where it reported none',
    period_end Nullable(Date32) COMMENT 'Last day of that period',
    revenue_usd Nullable(Float64) COMMENT 'Revenue of the period over all segments; NULL where not known',
    ai_hpc_usd Nullable(Float64) COMMENT 'Revenue of AI and HPC; NULL where not known, which is not zero',
    ai_hpc_share Nullable(Float64) COMMENT 'The second over the first; NULL where not known',
    ai_hpc_megawatts Nullable(Float64) COMMENT 'Megawatts for AI and HPC, where a source says; NULL where not known',
    known Bool COMMENT 'False where no release speaks of its AI and HPC part',
    source String COMMENT 'Source of the figures; empty where not known',
    reason String COMMENT 'Why the company is listed'
)
AS SELECT e.owner AS company,
    if(o.segments = 0, NULL, o.first_day) AS period_start,
    if(o.segments = 0, NULL, o.last_day) AS period_end,
    if(o.segments = 0, NULL, o.revenue) AS revenue_usd,
    if(o.ai_segments = 0, NULL, o.ai) AS ai_hpc_usd,
    if(o.ai_segments = 0, NULL, o.ai / o.revenue) AS ai_hpc_share,
    if(o.megawatt_rows = 0, NULL, o.megawatts) AS ai_hpc_megawatts,
    toBool(o.ai_segments > 0 OR o.megawatt_rows > 0) AS known,
    o.source AS source,
    e.reason AS reason
FROM (SELECT owner, reason FROM series_entries WHERE series = 'miner-pivot' AND counts) AS e
LEFT JOIN
(
    SELECT owner, any(period_start) AS first_day, any(period_end) AS last_day, any(r.source) AS source,
        countIf(NOT megawatt) AS segments, sumIf(value, NOT megawatt) AS revenue,
        countIf(part = 'ai_hpc' AND NOT megawatt) AS ai_segments, sumIf(value, part = 'ai_hpc' AND NOT megawatt) AS ai,
        countIf(megawatt) AS megawatt_rows, sumIf(value, megawatt) AS megawatts
    FROM
    (
        SELECT owner, part, value, period_start, period_end, source, series = 'miner-pivot-megawatts' AS megawatt,
            max(period_end) OVER (PARTITION BY series, owner) AS newest
        FROM observations
        WHERE series IN ('miner-pivot', 'miner-pivot-megawatts') AND is_current
    ) AS r
    WHERE period_end = newest
    GROUP BY owner
) AS o ON e.owner = o.owner
COMMENT 'Miners that turn to AI and HPC: what each listed company last reported, and plainly not known where it did not';

CREATE OR REPLACE VIEW series_freshness
(
    series LowCardinality(String) COMMENT 'Series',
    layer LowCardinality(String) COMMENT 'Layer',
    cadence_days UInt16 COMMENT 'How often the source publishes',
    lag_days UInt16 COMMENT 'How long after the end of a period it usually does',
    newest_period_end Nullable(Date32) COMMENT 'End of the newest period that is here; NULL where no release is',
    newest_published_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Publication of the newest release that is here',
    age_days Nullable(Float64) COMMENT 'Days since that publication',
    stale Bool COMMENT 'True where nothing was published for three times the cadence and the lag; false where no release was ever here'
)
AS SELECT s.series AS series, s.layer AS layer, s.cadence_days AS cadence_days, s.lag_days AS lag_days,
    if(r.releases = 0, NULL, r.period_end) AS newest_period_end,
    if(r.releases = 0, NULL, r.published_at) AS newest_published_at,
    if(r.releases = 0, NULL, dateDiff('second', r.published_at, now64(3, 'UTC')) / 86400.) AS age_days,
    toBool(r.releases > 0 AND ifNull(age_days, 0) > 3 * cadence_days + lag_days) AS stale
FROM series AS s
LEFT JOIN
(
    SELECT series, count() AS releases, max(period_end) AS period_end, max(published_at) AS published_at
    FROM releases_all WHERE withdrawn_at IS NULL GROUP BY series
) AS r ON s.series = r.series
COMMENT 'How old the newest release of each series is';
