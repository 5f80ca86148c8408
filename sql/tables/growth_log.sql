-- Written by: streams
-- ORDER BY: one row a period and span, by list. is_deleted: there is nothing to compare with any more.
CREATE TABLE IF NOT EXISTS growth_log
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    period_start Date32 COMMENT 'First day of the period',
    period_end Date32 COMMENT 'Last day of the period',
    span LowCardinality(String) COMMENT 'period: against the period before; year: against the same day a year before',
    release_id String COMMENT 'Release',
    base_release_id String COMMENT 'Release that it is compared with',
    base_period_end Date32 COMMENT 'Last day of the period of that release',
    total_ratio Float64 COMMENT 'Total now over total then; grows with coverage too',
    like_for_like_ratio Nullable(Float64) COMMENT 'The same over what both releases hold; NULL where they share nothing above zero',
    compared_share Float64 COMMENT 'Share of the total now that is compared like for like',
    parts_added Array(String) COMMENT 'Parts of the source that only the newer release draws on',
    parts_dropped Array(String) COMMENT 'Parts of the source that only the older release draws on',
    method_changed Bool COMMENT 'True where the two were counted differently',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where the comparison no longer exists'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (series, list_id, period_end, period_start, span)
COMMENT 'Growth of a series between current releases. Read the view growth';
