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
