CREATE OR REPLACE VIEW series_freshness
(
    series LowCardinality(String) COMMENT 'Series',
    layer LowCardinality(String) COMMENT 'Layer',
    cadence_days UInt16 COMMENT 'How often the source publishes',
    lag_days UInt16 COMMENT 'How long after the end of a period it usually does',
    newest_period_end Nullable(Date32) COMMENT 'End of the newest stored period; NULL without a release',
    newest_published_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Publication of the newest stored release',
    age_days Nullable(Float64) COMMENT 'Days since that publication',
    stale Bool COMMENT 'True where nothing was published for three times the cadence and the lag; false where no release was ever here'
)
AS SELECT s.series AS series, s.layer AS layer, s.cadence_days AS cadence_days, s.lag_days AS lag_days,
    if(r.releases = 0, NULL, r.period_end) AS newest_period_end,
    if(r.releases = 0, NULL, r.published_at) AS newest_published_at,
    if(r.releases = 0, NULL, dateDiff('second', r.published_at, now64(3, 'UTC')) / 86400.) AS age_days,
    toBool(r.releases > 0 AND ifNull(age_days, 0) > 3 * cadence_days + lag_days) AS stale
FROM series AS s
LEFT JOIN
(
    SELECT series, count() AS releases, max(period_end) AS period_end, max(published_at) AS published_at
    FROM releases_all WHERE withdrawn_at IS NULL GROUP BY series
) AS r ON s.series = r.series
COMMENT 'How old the newest release of each series is';
