-- The row at the tip moves with every block: its parts replace those that it had. What an older set of inputs has beside them joins no row.
-- Written by: streams
-- ORDER BY: the parts of one row lie together.
CREATE TABLE IF NOT EXISTS asymmetry_changes_log
(
    series LowCardinality(String) COMMENT 'Market series of the pair',
    list_id LowCardinality(String) COMMENT 'Include-list that the series is read by',
    chain LowCardinality(String) COMMENT 'Chain of the mining side',
    view LowCardinality(String) COMMENT 'View of the mining side: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the mining side in blocks',
    knowledge Enum8('live' = 0, 'latest' = 1) COMMENT 'live: only what was published by the end of the day; latest: all that is known now, perhaps hindsight',
    kind Enum8('day' = 0, 'latest' = 1) COMMENT 'day: at the end of a UTC day; latest: at the tip',
    slot Date COMMENT 'The day of a day row; 1970-01-01 for the one latest row',
    inputs_id String COMMENT 'Inputs of the row that the part belongs to',
    treatment LowCardinality(String) COMMENT 'Residual treatment',
    component LowCardinality(String) COMMENT 'ai_owner, coverage, method, revision or mining_pool',
    name String COMMENT 'Owner, pool or part of the source',
    doublings Float64 COMMENT 'What it adds to the change of L over the year',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, list_id, chain, view, window_blocks, knowledge, kind, slot, treatment, component, name)
COMMENT 'What the change of L over a year is made of. Read the view asymmetry_changes';
