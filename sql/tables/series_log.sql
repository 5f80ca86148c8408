-- Written by: streams
-- ORDER BY: entries are looked up by series; each reading is a row of its own, the newest version is current.
CREATE TABLE IF NOT EXISTS series_log
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
    document String COMMENT 'The whole entry as JSON',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, catalogue_id)
COMMENT 'The catalogue of series that rows rest on. Read the view series';
