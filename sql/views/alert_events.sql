CREATE OR REPLACE VIEW alert_events
(
    alert_id String COMMENT 'Alert, 16 hexadecimal digits',
    sequence UInt32 COMMENT 'Step of the alert, from 0',
    rule_id LowCardinality(String) COMMENT 'Rule',
    rule_hash String COMMENT 'Hash of the text of the rule',
    state LowCardinality(String) COMMENT 'possible, pending, firing, rebased or error (open); resolved, inactive or retracted (closed)',
    previous_state LowCardinality(String) COMMENT 'State before; empty at the first step',
    reason LowCardinality(String) COMMENT 'Why the step was taken: observed, reorg, restated, rebased or rule-changed',
    notify Bool COMMENT 'False for what is recorded and not sent',
    undoes Array(UInt32) COMMENT 'Steps of this alert that a retraction takes back',
    event_time DateTime64(3, 'UTC') COMMENT 'Time of the block (or of the clock, for a dead-man rule) that caused the step',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the step was recorded',
    start_height Nullable(UInt32) COMMENT 'Height where the episode began; for a dead-man rule the height or the second (unix) that names it',
    value Nullable(Float64) COMMENT 'Value of the metric of the rule; of a share its lower bound',
    value_low Nullable(Float64) COMMENT 'Lower bound of the value',
    value_high Nullable(Float64) COMMENT 'Upper bound of the value',
    interval_low Nullable(Float64) COMMENT '2.5 % quantile of the value',
    interval_high Nullable(Float64) COMMENT '97.5 % quantile of the value',
    threshold Nullable(Float64) COMMENT 'Line of the rule',
    summary String COMMENT 'One sentence for people',
    chain LowCardinality(String) COMMENT 'Chain of the evidence; empty where there is none',
    view LowCardinality(String) COMMENT 'View of the evidence: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the evidence in blocks; 0 where there is none',
    from_height Nullable(UInt32) COMMENT 'First height of the evidence',
    height Nullable(UInt32) COMMENT 'Last height of the evidence',
    tip_hash String COMMENT 'Hash of the block at that height, hexadecimal',
    attribution_id LowCardinality(String) COMMENT 'Attribution set of the evidence',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Unattributed blocks in the window',
    pools_seen UInt16 COMMENT 'Different pools in the window',
    counts Array(Tuple(pool String, blocks UInt16)) COMMENT 'Leaders and their blocks, largest first',
    reproduce_sql String COMMENT 'Query that computes the value again',
    evidence String COMMENT 'The whole evidence as JSON'
)
AS SELECT alert_id, sequence, rule_id, rule_hash, state, previous_state, reason, notify, undoes, event_time, recorded_at, start_height, value, value_low, value_high, interval_low, interval_high, threshold, summary, chain, view, window_blocks, from_height, height, tip_hash, attribution_id, n, unknown, pools_seen, counts, reproduce_sql, evidence
FROM alert_events_log FINAL
COMMENT 'Every transition of every alert';
