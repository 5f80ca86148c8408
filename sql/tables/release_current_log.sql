-- Written by: streams
-- ORDER BY: one pointer a period. is_deleted: every release of the period was withdrawn.
CREATE TABLE IF NOT EXISTS release_current_log
(
    series LowCardinality(String) COMMENT 'Series',
    kind LowCardinality(String) COMMENT 'measured or forecast',
    period_start Date32 COMMENT 'First day of the period',
    period_end Date32 COMMENT 'Last day of the period',
    release_id String COMMENT 'The release that stands for the period: the last published of full coverage that was not withdrawn',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where none stands any more'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (series, kind, period_start, period_end)
COMMENT 'Which release stands for a period; internal. Read the view releases';
