-- The row at the tip moves with every block, and with inputs_id in the key every one of its sets of parts stayed for good. Now a row's parts
-- replace those that it had; what an older set has beside them no longer joins its row. Rows are scored anew after this migration (their
-- format changed too), so nothing of asymmetry_parts_log is carried over.
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
    component LowCardinality(String) COMMENT 'ai_owner, coverage, method, revision or mining_pool',
    name String COMMENT 'Owner, pool or part of the source',
    doublings Float64 COMMENT 'What it adds to the change of L over the year',
    day Date COMMENT 'UTC day that the row speaks of'
)
AS SELECT p.series AS series, p.list_id AS list_id, p.chain AS chain, p.view AS view, p.window_blocks AS window_blocks, p.knowledge AS knowledge, p.kind AS kind, p.treatment AS treatment, p.component AS component, p.name AS name, p.doublings AS doublings, r.day AS day
FROM (SELECT * FROM asymmetry_changes_log FINAL) AS p
INNER JOIN
(
    SELECT series, list_id, chain, view, window_blocks, knowledge, kind, slot, inputs_id, day FROM asymmetry_log FINAL
) AS r ON p.series = r.series AND p.list_id = r.list_id AND p.chain = r.chain AND p.view = r.view AND p.window_blocks = r.window_blocks
    AND p.knowledge = r.knowledge AND p.kind = r.kind AND p.slot = r.slot AND p.inputs_id = r.inputs_id
COMMENT 'What the change of L over a year is made of: parts of one row and treatment add up to it';

DROP TABLE IF EXISTS asymmetry_parts_log;
