-- Who produced each block, according to a registry and entity map of one version.
-- ORDER BY: a set is read alone and whole or by heights of one chain, so the set leads; the rest is the block's own key.
CREATE TABLE IF NOT EXISTS attributions_log
(
    attribution_id LowCardinality(String) COMMENT 'Version of registry and entity map that decided; sets stand beside each other',
    chain LowCardinality(String) COMMENT 'Chain of the block',
    height UInt32 COMMENT 'Height of the block',
    hash FixedString(32) COMMENT 'Hash of the block, 32 raw bytes',
    pool_code UInt16 COMMENT 'Pool as a number of this set (pool_names, view raw); 0 is unknown',
    method Enum8('none' = 0, 'label' = 1, 'tag' = 2, 'address' = 3) COMMENT 'Evidence that decided: a payout address, a coinbase tag, the label of a replayed file, or none',
    matched String COMMENT 'The address, tag or label that matched; empty where none did',
    matched_offset Int32 COMMENT 'Byte offset of the matched tag in the coinbase script; -1 where there is none',
    candidates Array(String) COMMENT 'Every pool that some evidence pointed to, as slugs',
    conflict Bool COMMENT 'True where address and tag point to different pools; recorded, not resolved',
    template_builder LowCardinality(String) COMMENT 'Who built the block template, where that is known and is not the pool',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (attribution_id, chain, height, hash)
COMMENT 'Attribution of each block under each set, with its evidence. Read the view attributions';

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

-- ORDER BY: one row a set.
CREATE TABLE IF NOT EXISTS attribution_sets_log
(
    attribution_id String COMMENT 'Version of registry and entity map',
    document String COMMENT 'What the set was computed with, as JSON: registry, entity map, their versions and hashes',
    created_at DateTime64(3, 'UTC') COMMENT 'When the set was first computed',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY attribution_id
COMMENT 'Every attribution set that was computed. Read the view attribution_sets';

-- ORDER BY: one row a chain; flipping a chain to another set is one insert.
CREATE TABLE IF NOT EXISTS attribution_pointer_log
(
    chain LowCardinality(String) COMMENT 'Chain',
    attribution_id String COMMENT 'Set that is current on this chain',
    flipped_at DateTime64(3, 'UTC') COMMENT 'When it became current',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY chain
COMMENT 'Which attribution set is current on each chain. Read the view attribution_sets';
