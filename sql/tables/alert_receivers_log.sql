-- Written by: alerts
-- ORDER BY: one row a receiver; the alerter that takes over replaces what has changed.
CREATE TABLE IF NOT EXISTS alert_receivers_log
(
    receiver LowCardinality(String) COMMENT 'Name of the receiver, as in alert_deliveries',
    is_active Bool COMMENT 'Whether the alerter at work sends to it',
    joined_version UInt64 COMMENT 'Version at which it joined: what other receivers sent before is not sent again by it',
    updated_at DateTime64(3, 'UTC') COMMENT 'When the row was written',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY receiver
COMMENT 'Receivers of alerts that are in use, and since when';
