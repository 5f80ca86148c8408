-- Written by: alerts
-- ORDER BY: one row a rule; muting again, or unmuting, replaces it.
CREATE TABLE IF NOT EXISTS alert_mutes_log
(
    rule_id LowCardinality(String) COMMENT 'Rule that is muted; * for all',
    until DateTime64(3, 'UTC') COMMENT 'End of the mute; in the past once it was lifted',
    author String COMMENT 'Who muted it, by the name that was given; empty without one',
    reason String COMMENT 'Why, in one line; empty where none was given',
    muted_at DateTime64(3, 'UTC') COMMENT 'When the row was written',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY rule_id
COMMENT 'Rules whose transitions are recorded and not sent for a while';
