-- Written by `make generate` from the metric specs and counterpoise/windows.py; edit those.
-- All views and windows of a height are written in one insert, so one series stands for all.
CREATE OR REPLACE VIEW scored_heights_log
AS SELECT attribution_id, chain, height, tip_hash, time, version
FROM concentration_log FINAL
WHERE view = 'raw' AND window_blocks = 144
COMMENT 'Every height that has concentration, once for each attribution set; internal';
