-- ORDER BY: the history of one alert is read in its order; (alert_id, sequence) is the transition's key everywhere.
CREATE TABLE IF NOT EXISTS alert_events_log
(
    alert_id String COMMENT 'Alert, 16 hexadecimal digits; follows from rule, its text, chain and the height where it began',
    sequence UInt32 COMMENT 'Step of the alert, from 0',
    rule_id LowCardinality(String) COMMENT 'Rule',
    rule_hash String COMMENT 'Hash of the text of the rule, 12 hexadecimal digits',
    state LowCardinality(String) COMMENT 'possible, pending, firing or rebased (open); resolved, inactive or retracted (closed)',
    previous_state LowCardinality(String) COMMENT 'State before; empty at the first step',
    reason LowCardinality(String) COMMENT 'Why the step was taken: observed, reorg, restated, rebased or rule-changed',
    notify Bool COMMENT 'False for what is recorded and not said: history before go-live, states that nobody is told of',
    undoes Array(UInt32) COMMENT 'Steps of this alert that a retraction takes back',
    event_time DateTime64(3, 'UTC') COMMENT 'Time of the block (or of the clock, for a dead-man rule) that caused the step',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the step was recorded; differs between runs over the same blocks',
    start_height Nullable(UInt32) COMMENT 'Height where the episode began; for a dead-man rule the height or the second (unix) that names it',
    value Nullable(Float64) COMMENT 'Value of the metric of the rule; of a share its lower bound',
    value_low Nullable(Float64) COMMENT 'Lower bound of the value: unknown blocks belong to nobody of interest',
    value_high Nullable(Float64) COMMENT 'Upper bound of the value: unknown blocks all belong to the leaders',
    interval_low Nullable(Float64) COMMENT '2.5 % quantile of the value',
    interval_high Nullable(Float64) COMMENT '97.5 % quantile of the value',
    threshold Nullable(Float64) COMMENT 'Line of the rule',
    summary String COMMENT 'One sentence for people',
    chain LowCardinality(String) COMMENT 'Chain of the evidence; empty where there is none',
    view LowCardinality(String) COMMENT 'View of the evidence: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the evidence in blocks; 0 where there is none',
    from_height Nullable(UInt32) COMMENT 'First height of the evidence; NULL where it is not about blocks',
    height Nullable(UInt32) COMMENT 'Last height of the evidence; NULL where it is not about blocks',
    tip_hash String COMMENT 'Hash of the block at that height, hexadecimal',
    attribution_id LowCardinality(String) COMMENT 'Attribution set of the evidence',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Unattributed blocks in the window',
    pools_seen UInt16 COMMENT 'Different pools in the window',
    counts Array(Tuple(pool String, blocks UInt16)) COMMENT 'Leaders and their blocks, largest first',
    reproduce_sql String COMMENT 'Query that computes the value again',
    evidence String COMMENT 'The whole evidence as JSON',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (alert_id, sequence)
COMMENT 'Every transition of every alert with its evidence. Read the views alert_events and alerts';

-- ORDER BY: a delivery is identified by the transition, the notifier and what it does there.
CREATE TABLE IF NOT EXISTS alert_deliveries_log
(
    alert_id String COMMENT 'Alert',
    sequence UInt32 COMMENT 'Step of the alert',
    notifier LowCardinality(String) COMMENT 'slack or console',
    action LowCardinality(String) COMMENT 'post, thread, update, start or reminder-N',
    status Enum8('pending' = 0, 'sent' = 1, 'skipped' = 2) COMMENT 'pending: to be sent; sent: the other side accepted it; skipped: history, muted or not meant to be sent',
    channel String COMMENT 'Channel of the message',
    message_ts String COMMENT 'Slack time stamp, which identifies the message in its channel',
    attempts UInt32 COMMENT 'Tries so far; differs between runs',
    detail String COMMENT 'Why it was skipped; empty where it was not',
    updated_at DateTime64(3, 'UTC') COMMENT 'When this row was written; differs between runs',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (alert_id, sequence, notifier, action)
COMMENT 'Outbox: what was to be said where, and what was accepted. Read the view alert_deliveries';

-- ORDER BY: one row a rule and chain.
CREATE TABLE IF NOT EXISTS alert_state_log
(
    rule_id LowCardinality(String) COMMENT 'Rule',
    chain LowCardinality(String) COMMENT 'Chain; empty for a rule without one',
    height UInt32 COMMENT 'Height that the state holds for',
    tip_hash String COMMENT 'Hash at that height, hexadecimal',
    state String COMMENT 'State of the machine as JSON',
    go_live_height Nullable(Int64) COMMENT 'Transitions above this height are told (-1: all are); NULL before go-live',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (chain, rule_id)
COMMENT 'Checkpoint of the alert state machines; internal';

-- ORDER BY: one row a rule; muting again, or unmuting, replaces it.
CREATE TABLE IF NOT EXISTS alert_mutes_log
(
    rule_id LowCardinality(String) COMMENT 'Rule that is muted; * for all',
    until DateTime64(3, 'UTC') COMMENT 'End of the mute; in the past once it was lifted',
    muted_at DateTime64(3, 'UTC') COMMENT 'When the row was written',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY rule_id
COMMENT 'Rules whose transitions are recorded and not told for a while';
