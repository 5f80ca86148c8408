-- Written by: streams
-- ORDER BY: the releases of a series by period; each release is its own key, so all of them stay.
CREATE TABLE IF NOT EXISTS releases_log
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
    coverage LowCardinality(String) COMMENT 'full, or partial where the period is incomplete: shown and never scored',
    coverage_note String COMMENT 'What is missing of a partial release',
    method String COMMENT 'What the source counted with, in its words',
    cutoff Nullable(Float64) COMMENT 'The source lists nothing below this value; NULL where it lists everything',
    parts Array(String) COMMENT 'Parts of the source that the release draws on',
    observations UInt32 COMMENT 'Observations in the release',
    total Float64 COMMENT 'Sum of all values, residual buckets and what no list counts included',
    withdrawn_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was taken back; NULL where it stands',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the rows derived from it rest on',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, period_end, period_start, release_id)
COMMENT 'Every complete release. Read the views releases and releases_all';
