CREATE OR REPLACE VIEW releases
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'SHA-256 of the content of the release, hexadecimal',
    values_id String COMMENT 'The same without the time of publication: equal where a source published the same again',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size, location or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    source String COMMENT 'Where the values come from',
    licence String COMMENT 'Licence of the source',
    coverage LowCardinality(String) COMMENT 'full, or partial where the period is incomplete: shown and never scored',
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
