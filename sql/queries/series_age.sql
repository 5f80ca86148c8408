-- name: series_age
-- description: Age of the newest release of each market series, and its completeness by the first include-list; NULL without a release
-- example: counterpoise sql --name series_age
SELECT
    f.series AS series, f.layer AS layer, f.newest_period_end AS period_end, f.newest_published_at AS published_at, f.age_days AS age_days,
    f.stale AS stale,
    d.list_id AS list_id,
    if(empty(d.list_id), NULL, d.owners) AS owners,
    if(empty(d.list_id), NULL, d.missing) AS missing,
    if(empty(d.list_id), NULL, d.imputed) AS imputed,
    if(empty(d.list_id), NULL, d.residual_share) AS residual_share
FROM series_freshness AS f
LEFT JOIN
(
    SELECT series, toString(list_id) AS list_id, owners, missing, imputed, residual_share
    FROM dispersion
    WHERE treatment = 'one_owner'
    ORDER BY series, period_end DESC, list_id
    LIMIT 1 BY series
) AS d ON f.series = d.series
ORDER BY series
