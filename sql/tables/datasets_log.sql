-- Written by: ingest, streams, alerts
-- ORDER BY: by the whole mark, so that two that differ both show.
CREATE TABLE IF NOT EXISTS datasets_log
(
    name String COMMENT 'Name of the dataset: of this database and of its topics',
    kind LowCardinality(String) COMMENT 'live, historical or simulated',
    created_at DateTime64(3, 'UTC') COMMENT 'When the mark was set'
)
ENGINE = ReplacingMergeTree
ORDER BY (name, kind)
COMMENT 'What this database holds: the chain as it happens, real blocks replayed, or drawn from figures. Read the view datasets';
