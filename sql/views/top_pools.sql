CREATE OR REPLACE VIEW top_pools
AS SELECT chain, height, time, attribution_id, row_number() OVER (PARTITION BY chain ORDER BY blocks DESC, pool) AS rank,
    leader.1 AS pool, leader.2 AS blocks, blocks / n AS share, n, unknown
FROM latest_concentration
ARRAY JOIN leaders AS leader
WHERE view = {view:String} AND window_blocks = {window:UInt16}
ORDER BY chain, rank
COMMENT 'The largest pools now, at most six. Parameters: view (raw or entity) and window (in blocks)';
