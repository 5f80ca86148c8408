-- Written by: streams
-- ORDER BY: names are looked up by set, view and code.
CREATE TABLE IF NOT EXISTS pool_names_log
(
    attribution_id LowCardinality(String) COMMENT 'Set that the code belongs to',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    code UInt16 COMMENT 'Number of the pool or entity in this set and view; 0 is unknown',
    slug String COMMENT 'Stable lower-case name',
    name String COMMENT 'Name for people',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (attribution_id, view, code)
COMMENT 'Names of the pool codes of each set. Read the view pool_names';
