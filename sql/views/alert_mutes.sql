CREATE OR REPLACE VIEW alert_mutes
(
    rule_id LowCardinality(String) COMMENT 'Rule that is muted; * for all',
    until DateTime64(3, 'UTC') COMMENT 'End of the mute',
    author String COMMENT 'Who muted it, by the name that was given; empty without one',
    reason String COMMENT 'Why, in one line; empty where none was given',
    muted_at DateTime64(3, 'UTC') COMMENT 'When it was muted'
)
AS SELECT rule_id, until, author, reason, muted_at FROM alert_mutes_log FINAL
COMMENT 'Rules that are, or were, recorded and not sent for a while';
