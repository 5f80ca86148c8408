-- name: series_releases
-- description: The releases that stand for each period of a market series, newest first
-- param series String = epoch-ai-compute-owners | market series
-- example: counterpoise sql --name series_releases --param series=pypi-edge-share
SELECT period_start, period_end, published_at, kind, coverage, observations, source, licence, release_id
FROM releases
WHERE series = {series:String}
ORDER BY period_end DESC, kind
