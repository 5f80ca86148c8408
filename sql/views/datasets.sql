CREATE OR REPLACE VIEW datasets
(
    name String COMMENT 'Name of the dataset: of this database and of its topics',
    kind LowCardinality(String) COMMENT 'live, historical or simulated',
    created_at DateTime64(3, 'UTC') COMMENT 'When the mark was set'
)
AS SELECT name, kind, min(m.created_at) AS created_at FROM datasets_log AS m GROUP BY name, kind
COMMENT 'What this database holds';
