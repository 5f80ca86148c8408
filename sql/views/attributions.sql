-- Evidence of blocks of the best chain only; what lost stands in blocks_all.
CREATE OR REPLACE VIEW attributions
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set, current on the chain',
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Height of the block',
    hash String COMMENT 'Hash of the block, hexadecimal',
    pool String COMMENT 'Pool that produced it, by its slug; unknown where no producer is known',
    pool_name String COMMENT 'Name of the pool for people',
    method Enum8('none' = 0, 'label' = 1, 'tag' = 2, 'address' = 3) COMMENT 'Evidence that decided',
    matched String COMMENT 'The address, tag or label that matched',
    matched_offset Int32 COMMENT 'Byte offset of the matched tag in the coinbase script; -1 where there is none',
    candidates Array(String) COMMENT 'Every pool that some evidence pointed to, as slugs, the one that decided first',
    conflict Bool COMMENT 'True where address and tag point to different pools; recorded, not resolved',
    template_builder LowCardinality(String) COMMENT 'Who built the block template, where that is known and is not the pool'
)
AS WITH
    (SELECT (keys, slugs, names) FROM pool_keys_log) AS names,
    cityHash64(toString(a.attribution_id), toUInt8(0), a.pool_code) AS name_key
SELECT
    a.attribution_id AS attribution_id,
    a.chain AS chain,
    a.height AS height,
    lower(hex(a.hash)) AS hash,
    transform(name_key, names.1, names.2, '') AS pool,
    transform(name_key, names.1, names.3, '') AS pool_name,
    a.method AS method,
    a.matched AS matched,
    a.matched_offset AS matched_offset,
    a.candidates AS candidates,
    a.conflict AS conflict,
    a.template_builder AS template_builder
FROM (SELECT * FROM attributions_log FINAL WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)) AS a
INNER JOIN (SELECT chain, height, hash FROM blocks_canonical_log) AS b ON a.chain = b.chain AND a.height = b.height AND a.hash = b.hash
COMMENT 'Attribution of each block of the best chain with its evidence, under the current set';
