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
