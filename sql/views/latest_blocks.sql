-- The keys are listed, so that a few granules are read however long the chain is.
CREATE OR REPLACE VIEW latest_blocks
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
AS SELECT *
FROM blocks
WHERE (chain, height) IN (SELECT chain, arrayJoin(range(toUInt32(greatest(toInt64(t.height) - 143, 0)), t.height + 1)) FROM chain_tips_log AS t)
COMMENT 'The newest 144 blocks of each chain, as in blocks: its tip is the one with the highest height';
