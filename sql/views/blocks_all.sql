-- As in blocks, of two canonical blocks of one height only the newest version is; the other lost.
CREATE OR REPLACE VIEW blocks_all
(
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Blocks between this one and the genesis block',
    hash String COMMENT 'Block hash, hexadecimal',
    prev_hash String COMMENT 'Hash of the block before, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time; it may lie before the time of the block before: order by height',
    status Enum8('parked' = 0, 'stale' = 1, 'canonical' = 2) COMMENT 'canonical: on the best chain; stale: on a branch that lost; parked: its parent is not known yet',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip, both included; 1 at the tip, 0 for a block that is not canonical',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    pool String COMMENT 'Pool that produced it, by its slug, under the current attribution set; unknown where no producer is known, or not yet',
    pool_name String COMMENT 'Name of the pool for people',
    method Enum8('none' = 0, 'label' = 1, 'tag' = 2, 'address' = 3) COMMENT 'Evidence that decided',
    conflict Bool COMMENT 'True where address and tag point to different pools',
    template_builder LowCardinality(String) COMMENT 'Who built the block template, where that is known and is not the pool',
    attribution_id LowCardinality(String) COMMENT 'Attribution set that named the pool; empty while the block is not attributed',
    bits UInt32 COMMENT 'Compact target of the header',
    coinbase_script String COMMENT 'Input script of the coinbase, raw bytes',
    payout_addresses Array(String) COMMENT 'Addresses of the outputs of the coinbase, in their order',
    label String COMMENT 'Producer as a replayed file names it',
    fees_sats Nullable(UInt64) COMMENT 'Fees of the block in satoshis; NULL where the source has none',
    transactions Nullable(UInt32) COMMENT 'Transactions of the block, the coinbase included; 1 is an empty block; NULL where the source has none',
    size_bytes Nullable(UInt32) COMMENT 'Size of the block in bytes; NULL where the source has none',
    weight Nullable(UInt32) COMMENT 'Weight of the block in weight units, on Bitcoin at most 4,000,000; NULL where the source has none',
    match_ratio Nullable(Float64) COMMENT 'Part of the expected transactions that the block has, 0 to 1, by the source (matchRate of mempool); NULL where it has none',
    similarity_ratio Nullable(Float64) COMMENT 'How alike the block and the one that the source expected are, 0 to 1; NULL where it has none',
    expected_fees_sats Nullable(UInt64) COMMENT 'Fees of the block that the source expected, in satoshis; NULL where it has none',
    expected_weight Nullable(UInt32) COMMENT 'Weight of the block that the source expected, in weight units; NULL where it has none',
    source LowCardinality(String) COMMENT 'Source that saw the block first',
    synthetic Bool COMMENT 'True where the hash was made up because the source had none',
    seen_at DateTime64(3, 'UTC') COMMENT 'When the source saw the block'
)
AS WITH
    (SELECT (groupArray(toString(chain)), groupArray(height)) FROM chain_tips_log) AS tips,
    (SELECT (keys, slugs, names) FROM pool_keys_log) AS names,
    cityHash64(toString(a.attribution_id), toUInt8(0), a.pool_code) AS name_key
SELECT
    b.chain AS chain,
    b.height AS height,
    lower(hex(b.hash)) AS hash,
    lower(hex(b.prev_hash)) AS prev_hash,
    b.time AS time,
    b.status AS status,
    if(b.status = 'canonical', toUInt32(greatest(toInt64(transform(toString(b.chain), tips.1, tips.2, toUInt32(0))) - b.height + 1, 1)), 0) AS confirmations,
    toBool(confirmations < 6) AS provisional,
    transform(name_key, names.1, names.2, 'unknown') AS pool,
    transform(name_key, names.1, names.3, 'Unknown') AS pool_name,
    a.method AS method,
    a.conflict AS conflict,
    a.template_builder AS template_builder,
    a.attribution_id AS attribution_id,
    b.bits AS bits,
    b.coinbase_script AS coinbase_script,
    b.payout_addresses AS payout_addresses,
    b.label AS label,
    b.fees_sats AS fees_sats,
    b.transactions AS transactions,
    b.size_bytes AS size_bytes,
    b.weight AS weight,
    b.match_ratio AS match_ratio,
    b.similarity_ratio AS similarity_ratio,
    b.expected_fees_sats AS expected_fees_sats,
    b.expected_weight AS expected_weight,
    b.source AS source,
    b.synthetic AS synthetic,
    b.seen_at AS seen_at
FROM
(
    SELECT * REPLACE (if(status = 'canonical' AND version < newest, CAST('stale', 'Enum8(\'parked\' = 0, \'stale\' = 1, \'canonical\' = 2)'), status) AS status)
    FROM (SELECT *, maxIf(version, status = 'canonical') OVER (PARTITION BY chain, height) AS newest FROM blocks_log FINAL)
) AS b
LEFT JOIN
(
    SELECT * FROM attributions_log FINAL
    WHERE (attribution_id, chain) IN (
        SELECT attribution_id, chain FROM attribution_pointer_log FINAL
    )
) AS a ON b.chain = a.chain AND b.height = a.height AND b.hash = a.hash
COMMENT 'Every block ever seen, also those that lost or whose parent is missing: for stale rates, never for shares';
