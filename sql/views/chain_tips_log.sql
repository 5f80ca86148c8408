-- The tip is the newest scored height, which the worker writes in the same step as its block: a few rows, whatever the history's length.
CREATE OR REPLACE VIEW chain_tips_log
AS SELECT chain, max(height) AS height
FROM concentration_latest_log FINAL
WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
GROUP BY chain
COMMENT 'Height of the tip of each chain; internal';
