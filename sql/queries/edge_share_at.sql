-- name: edge_share_at
-- description: The edge share of each period by every include-list, from the release of it that was known at a moment
-- param series String = pypi-edge-share | market series
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | the moment, UTC
-- example: counterpoise sql --name edge_share_at --param at='2026-01-31 00:00:00'
SELECT
    period_end, list_id, round(edge_share, 4) AS edge_share, round(edge_share_lower, 4) AS lower, round(edge_share_upper, 4) AS upper,
    length(missing) AS missing
FROM placement_log FINAL -- the view placement has the releases that stand now
WHERE series = {series:String} AND edge_share IS NOT NULL
  AND (series, catalogue_id) IN (SELECT series, catalogue_id FROM series)
  AND release_id IN
  (
      SELECT release_id
      FROM releases_all
      WHERE series = {series:String} AND kind = 'measured' AND coverage = 'full' AND published_at <= {at:DateTime64(3, 'UTC')}
        AND (withdrawn_at IS NULL OR withdrawn_at > {at:DateTime64(3, 'UTC')})
      ORDER BY period_start, period_end, published_at DESC, release_id DESC
      LIMIT 1 BY period_start, period_end
  )
ORDER BY list_id, period_end
