-- Written by: streams
-- ORDER BY: the observations of one release lie together.
CREATE TABLE IF NOT EXISTS release_observations_log
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    owner String COMMENT 'Whose part it is',
    venue LowCardinality(String) COMMENT 'Where it runs by its source: device, edge, on_premises, regional_cloud, hyperscale or unknown',
    part LowCardinality(String) COMMENT 'Part of the source; values of one owner add up over parts',
    item String COMMENT 'What is owned or offered',
    value Float64 COMMENT 'Value in the unit of the release',
    value_p5 Nullable(Float64) COMMENT '5th percentile, where the source has one',
    value_p95 Nullable(Float64) COMMENT '95th percentile, where the source has one',
    residual Bool COMMENT 'True for a bucket that is no single owner',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, release_id, owner, venue, part, item)
COMMENT 'The values of every complete release. Read the view observations';
