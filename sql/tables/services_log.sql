-- Written by: ingest, streams, alerts, desk
-- ORDER BY: one row a process; each report replaces the one before it, so that a look reads as many rows as processes ran in 7 days.
CREATE TABLE IF NOT EXISTS services_log
(
    service LowCardinality(String) COMMENT 'Name of the service',
    instance String COMMENT 'The process, 12 hexadecimal digits, drawn at its start',
    host String COMMENT 'Name of its machine or container',
    folder String COMMENT 'Its run directory, which has one process of a service at a time',
    pid UInt32 COMMENT 'Number of the process on its host',
    software_version LowCardinality(String) COMMENT 'Version of Counterpoise',
    state LowCardinality(String) COMMENT 'starting, working or waiting; at the end finished or stopped',
    waiting_on LowCardinality(String) COMMENT 'What it waits on; empty where it does not wait',
    wait_reason String COMMENT 'Reason of the wait; empty where it does not wait',
    waiting_since Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the wait, by the clock of its host',
    heights Map(String, UInt32) COMMENT 'Height that it reached, by chain: sent (ingest), scored (streams) or judged (alerts)',
    last_progress_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Its last progress, by the clock of its host; NULL before the first',
    started_at DateTime64(3, 'UTC') COMMENT 'Its start, by the clock of its host',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row was written, by the clock of the server'
)
ENGINE = ReplacingMergeTree
ORDER BY (service, instance)
TTL toDateTime(written_at) + INTERVAL 7 DAY
COMMENT 'Last report of each process of a service, for 7 days. Read the view services'
