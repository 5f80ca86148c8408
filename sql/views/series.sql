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
