-- What a block contains, and what its source expected it to contain; NULL in rows of before.
ALTER TABLE blocks_log
    ADD COLUMN IF NOT EXISTS transactions Nullable(UInt32) COMMENT 'Transactions of the block, the coinbase included; 1 is an empty block; NULL where the source has none' AFTER fees_sats,
    ADD COLUMN IF NOT EXISTS size_bytes Nullable(UInt32) COMMENT 'Size of the block in bytes; NULL where the source has none' AFTER transactions,
    ADD COLUMN IF NOT EXISTS weight Nullable(UInt32) COMMENT 'Weight of the block in weight units, on Bitcoin at most 4,000,000; NULL where the source has none' AFTER size_bytes,
    ADD COLUMN IF NOT EXISTS match_ratio Nullable(Float64) COMMENT 'Part of the expected transactions that the block has, 0 to 1, by the source (matchRate of mempool); NULL where it has none' AFTER weight,
    ADD COLUMN IF NOT EXISTS similarity_ratio Nullable(Float64) COMMENT 'How alike the block and the one that the source expected are, 0 to 1; NULL where it has none' AFTER match_ratio,
    ADD COLUMN IF NOT EXISTS expected_fees_sats Nullable(UInt64) COMMENT 'Fees of the block that the source expected, in satoshis; NULL where it has none' AFTER similarity_ratio,
    ADD COLUMN IF NOT EXISTS expected_weight Nullable(UInt32) COMMENT 'Weight of the block that the source expected, in weight units; NULL where it has none' AFTER expected_fees_sats;
