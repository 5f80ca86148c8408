-- One canonical block a height even where a writer that was replaced left its own: the newest version wins.
CREATE OR REPLACE VIEW blocks_canonical_log
AS SELECT *
FROM blocks_log FINAL
WHERE status = 'canonical'
ORDER BY chain, height, version DESC
LIMIT 1 BY chain, height
COMMENT 'Canonical blocks as they are stored; internal. Read the view blocks';
