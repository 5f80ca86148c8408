-- Written by: alerts
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
COMMENT 'Outbox: what was to be sent where, and what was accepted. Read the view alert_deliveries';
