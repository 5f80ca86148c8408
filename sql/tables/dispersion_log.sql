-- Written by: streams
-- ORDER BY: a question names series and list and asks for a range of periods. The entry of the catalogue is in the key, so that the rows of
-- an older reading stay beside those of the current one.
CREATE TABLE IF NOT EXISTS dispersion_log
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
    imputed UInt32 COMMENT 'Observations without their own error, which got that of the others',
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
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, list_id, catalogue_id, period_end, release_id, treatment)
COMMENT 'Dispersion over owners of every release, by include-list and residual treatment. Read the view dispersion';
