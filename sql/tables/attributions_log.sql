-- Who produced each block, according to a registry and entity map of one version.
-- Written by: streams
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
SETTINGS index_granularity = 1024
COMMENT 'Attribution of each block under each set, with its evidence. Read the view attributions';
