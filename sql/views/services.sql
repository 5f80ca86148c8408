CREATE OR REPLACE VIEW services
(
    service LowCardinality(String) COMMENT 'Name of the service',
    instance String COMMENT 'The process, 12 hexadecimal digits',
    host String COMMENT 'Name of its machine or container',
    folder String COMMENT 'Its run directory',
    pid UInt32 COMMENT 'Number of the process on its host',
    software_version LowCardinality(String) COMMENT 'Version of Counterpoise',
    state LowCardinality(String) COMMENT 'starting, working or waiting; at the end finished or stopped',
    waiting_on LowCardinality(String) COMMENT 'What it waits on; empty where it does not wait',
    wait_reason String COMMENT 'Reason of the wait; empty where it does not wait',
    waiting_since Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the wait, by the clock of its host',
    heights Map(String, UInt32) COMMENT 'Height that it reached, by chain',
    last_progress_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Its last progress, by the clock of its host; NULL before the first',
    started_at DateTime64(3, 'UTC') COMMENT 'Its start, by the clock of its host',
    written_at DateTime64(3, 'UTC') COMMENT 'When it last reported, by the clock of the server',
    age_seconds Float64 COMMENT 'Time since then; a running process reports every 10 seconds'
)
AS SELECT service, instance, host, folder, pid, software_version, state, waiting_on, wait_reason, waiting_since, heights,
    last_progress_at, started_at, written_at, dateDiff('millisecond', written_at, now64(3, 'UTC')) / 1000 AS age_seconds
FROM services_log FINAL
WHERE written_at > now64(3, 'UTC') - INTERVAL 7 DAY
COMMENT 'Last report of each process of a service, on all machines'
