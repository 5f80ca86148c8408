-- Written by: alerts
-- ORDER BY: one row a rule and chain.
CREATE TABLE IF NOT EXISTS alert_state_log
(
    rule_id LowCardinality(String) COMMENT 'Rule',
    chain LowCardinality(String) COMMENT 'Chain; empty for a rule without one',
    height UInt32 COMMENT 'Height that the state holds for',
    tip_hash String COMMENT 'Hash at that height, hexadecimal',
    state String COMMENT 'State of the machine as JSON',
    go_live_height Nullable(Int64) COMMENT 'Transitions above this height are sent (-1: all are); NULL before go-live',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (chain, rule_id)
COMMENT 'Checkpoint of the alert state machines; internal';
