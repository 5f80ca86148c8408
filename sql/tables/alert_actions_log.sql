-- Written by: alerts, desk
-- ORDER BY: one row an action; an action is written once and never changed.
CREATE TABLE IF NOT EXISTS alert_actions_log
(
    action_id String COMMENT 'Action, 16 hexadecimal digits',
    kind LowCardinality(String) COMMENT 'acknowledge, silence, unsilence, useful, noise, or refused for a request that was not done',
    target String COMMENT 'Alert that is acknowledged or called useful or noise, or silence that is ended; empty for a silence',
    matchers String COMMENT 'Labels of the alerts that a silence is for, as JSON; * and ? are wildcards',
    until Nullable(DateTime64(3, 'UTC')) COMMENT 'End of a silence; NULL where it has no time',
    until_resolved Bool COMMENT 'Whether a silence ends for each alert with its resolution',
    worse_than Nullable(Float64) COMMENT 'A silence does not hold while the value is worse than this; NULL where it has none',
    author String COMMENT 'Who asked for it; empty where no name was given',
    reason String COMMENT 'Why, in one line; of a refused request why it was refused; empty where none was given',
    via LowCardinality(String) COMMENT 'Where it was asked for: command, page or slack',
    acted_at DateTime64(3, 'UTC') COMMENT 'When it was asked for',
    version UInt64 COMMENT 'Always 1: a row is not replaced'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY action_id
COMMENT 'What people asked for about alerts. Read the view alert_actions';
