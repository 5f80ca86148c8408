-- name: releases_known_at
-- description: Releases of a market series as known at a moment: the last published of each period, and whether it still stands
-- param series String = epoch-ai-compute-owners | market series
-- param at DateTime = 2100-01-01 00:00:00 | the moment, UTC
-- example: counterpoise sql --name releases_known_at --param at='2026-01-31 00:00:00'
SELECT period_start, period_end, published_at, is_current, observations, total, unit, release_id, source
FROM releases_all
WHERE series = {series:String} AND kind = 'measured' AND coverage = 'full' AND published_at <= {at:DateTime}
  AND (withdrawn_at IS NULL OR withdrawn_at > {at:DateTime})
ORDER BY period_start, period_end, published_at DESC, release_id DESC
LIMIT 1 BY period_start, period_end
