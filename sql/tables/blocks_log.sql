-- Blocks as seen, and how each stands in its chain.
-- Written by: streams
-- ORDER BY: a block is read by chain and height (a range of heights is one seek); the hash makes each block its own key, so that
-- a redelivered block replaces itself and two blocks of one height live side by side.
CREATE TABLE IF NOT EXISTS blocks_log
(
    chain LowCardinality(String) COMMENT 'Chain that the block belongs to, for example bitcoin',
    height UInt32 COMMENT 'Blocks between this one and the genesis block, whose height is 0',
    hash FixedString(32) COMMENT 'Block hash, 32 raw bytes in the order that explorers show; lower(hex(hash)) is the usual text',
    prev_hash FixedString(32) COMMENT 'Hash of the block before, 32 raw bytes',
    time DateTime64(3, 'UTC') COMMENT 'Header time; it may lie before the time of the block before (0.4 % of blocks): order by height',
    bits UInt32 COMMENT 'Compact target of the header, from which the work of the block follows',
    coinbase_script String COMMENT 'Whole input script of the coinbase, raw bytes; empty where the source has none',
    payout_addresses Array(String) COMMENT 'Addresses of the outputs of the coinbase, in their order',
    label String COMMENT 'Producer as a replayed file names it; empty where it names none',
    fees_sats Nullable(UInt64) COMMENT 'Fees of the block in satoshis; NULL where the source has none',
    transactions Nullable(UInt32) COMMENT 'Transactions of the block, the coinbase included; 1 is an empty block; NULL where the source has none',
    size_bytes Nullable(UInt32) COMMENT 'Size of the block in bytes; NULL where the source has none',
    weight Nullable(UInt32) COMMENT 'Weight of the block in weight units, on Bitcoin at most 4,000,000; NULL where the source has none',
    match_ratio Nullable(Float64) COMMENT 'Part of the expected transactions that the block has, 0 to 1, by the source (matchRate of mempool); NULL where it has none',
    similarity_ratio Nullable(Float64) COMMENT 'How alike the block and the one that the source expected are, 0 to 1; NULL where it has none',
    expected_fees_sats Nullable(UInt64) COMMENT 'Fees of the block that the source expected, in satoshis; NULL where it has none',
    expected_weight Nullable(UInt32) COMMENT 'Weight of the block that the source expected, in weight units; NULL where it has none',
    source LowCardinality(String) COMMENT 'Source that saw the block first: bitcoind, mempool, replay',
    synthetic Bool COMMENT 'True where the hash was made up because the source had none',
    status Enum8('parked' = 0, 'stale' = 1, 'canonical' = 2) COMMENT 'canonical: on the best chain; stale: on a branch that lost; parked: its parent is not known yet',
    seen_at DateTime64(3, 'UTC') COMMENT 'When the source saw the block; differs between runs over the same blocks',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (chain, height, hash)
SETTINGS index_granularity = 1024
COMMENT 'Every block ever seen, one row a (chain, height, hash), with its standing in the chain. Read the views blocks and blocks_all';
