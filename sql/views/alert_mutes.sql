CREATE OR REPLACE VIEW alert_mutes
(
    rule_id LowCardinality(String) COMMENT 'Rule that is muted; * for all',
    until DateTime64(3, 'UTC') COMMENT 'End of the mute',
    muted_at DateTime64(3, 'UTC') COMMENT 'When it was muted'
)
AS SELECT rule_id, until, muted_at FROM alert_mutes_log FINAL
COMMENT 'Rules that are, or were, recorded and not sent for a while';
