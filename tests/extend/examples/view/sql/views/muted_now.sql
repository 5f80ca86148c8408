CREATE OR REPLACE VIEW muted_now
(
    rule_id LowCardinality(String) COMMENT 'Rule that is muted; * for all',
    until DateTime64(3, 'UTC') COMMENT 'End of the mute'
)
AS SELECT rule_id, until FROM alert_mutes WHERE until > now64(3, 'UTC')
COMMENT 'Rules that are recorded and not sent at this moment';
