-- name: series_age_at
-- description: Age, at a moment, of the newest release of each market series that was published by then; NULL without a release
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | the moment, UTC
-- example: counterpoise sql --name series_age_at --param at='2026-01-31 00:00:00'
SELECT
    s.series AS series,
    if(r.releases = 0, NULL, r.newest_period_end) AS period_end,
    if(r.releases = 0, NULL, r.newest_published_at) AS published_at,
    if(r.releases = 0, NULL, dateDiff('second', r.newest_published_at, {at:DateTime64(3, 'UTC')}) / 86400.) AS age_days,
    toBool(r.releases > 0 AND ifNull(age_days, 0) > 3 * s.cadence_days + s.lag_days) AS stale
FROM series AS s
LEFT JOIN
(
    SELECT series, count() AS releases, max(period_end) AS newest_period_end, max(published_at) AS newest_published_at
    FROM releases_all
    WHERE published_at <= {at:DateTime64(3, 'UTC')} AND (withdrawn_at IS NULL OR withdrawn_at > {at:DateTime64(3, 'UTC')})
    GROUP BY series
) AS r ON s.series = r.series
ORDER BY series
