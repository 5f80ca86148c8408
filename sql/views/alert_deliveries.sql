CREATE OR REPLACE VIEW alert_deliveries
(
    alert_id String COMMENT 'Alert',
    sequence UInt32 COMMENT 'Step of the alert',
    notifier LowCardinality(String) COMMENT 'Name of the receiver',
    action LowCardinality(String) COMMENT 'post, thread, grouped, update, start, digest, reminder-N, acknowledged-ID, worse-ID, silenced-ID or picture',
    status Enum8('pending' = 0, 'sent' = 1, 'skipped' = 2) COMMENT 'pending: to be sent; sent: the other side accepted it; skipped: history, muted or not meant to be sent',
    channel String COMMENT 'Channel of the message',
    message_ts String COMMENT 'Slack time stamp, which identifies the message in its channel',
    attempts UInt32 COMMENT 'Tries so far',
    detail String COMMENT 'Why it was skipped; empty where it was not',
    updated_at DateTime64(3, 'UTC') COMMENT 'When the standing last changed'
)
AS SELECT alert_id, sequence, notifier, action, status, channel, message_ts, attempts, detail, updated_at FROM alert_deliveries_log FINAL
COMMENT 'What was sent where about each transition';
