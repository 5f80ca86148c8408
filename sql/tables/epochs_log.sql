-- Written by: streams, alerts
-- ORDER BY: claims are read by role, the newest epoch last.
CREATE TABLE IF NOT EXISTS epochs_log
(
    role LowCardinality(String) COMMENT 'Kind of writer: streams, alerts, reattribute, …',
    epoch UInt32 COMMENT 'Number that the claimant writes under; a higher one wins over it',
    token String COMMENT 'Random name of the claimant; two tokens on one epoch make both claim again',
    claimed_at DateTime64(3, 'UTC') COMMENT 'When it was claimed'
)
ENGINE = ReplacingMergeTree
ORDER BY (role, epoch, token)
COMMENT 'Epochs that writers have claimed, so that a writer that was replaced loses; internal';
