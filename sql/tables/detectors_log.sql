-- The sequential detectors after each block, both views in one row. Rows begin at the first block behind a full window of 2,016 blocks.
-- Written by: streams
-- ORDER BY: a question names set and chain and asks for a range of heights.
-- A track is a detector in a view under a promise, in the order of the view `detectors`. `state` is there where (height + 1) is divisible by
-- 512: any other state follows from it and the blocks behind it. is_deleted is the tombstone of a height that a reorganisation undid.
CREATE TABLE IF NOT EXISTS detectors_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the state rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Height of the block',
    tip_hash FixedString(32) COMMENT 'Hash of the block, 32 raw bytes',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the block',
    firing UInt32 COMMENT 'A bit for each track that fires after this block, the first track the lowest',
    evidence Array(Float32) COMMENT 'Mean state of each track in blocks; an alarm is where it reaches the promise in blocks',
    state Array(Float64) COMMENT 'State of each alternative of each track; empty at most heights',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where a reorganisation undid this height'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (attribution_id, chain, height)
SETTINGS index_granularity = 1024
COMMENT 'State of the sequential detectors at every height. Read the view detectors';
