-- name: owners_of_release
-- description: Owners and their amounts at the end of a period: the current release, with residual buckets marked
-- param series String = epoch-ai-compute-owners | market series
-- param period_end Date = 2025-12-31 | last day of the period
-- example: counterpoise sql --name owners_of_release --param period_end=2024-12-31
SELECT
    owner, residual, sum(value) AS total, round(total / sum(total) OVER (), 4) AS share_of_all,
    if(residual, NULL, round(total / sum(if(residual, 0, total)) OVER (), 4)) AS share_of_named, any(unit) AS in_unit, any(source) AS from_source
FROM observations
WHERE series = {series:String} AND period_end = {period_end:Date} AND is_current
GROUP BY owner, residual
ORDER BY total DESC
