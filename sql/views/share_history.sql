-- Counted from the blocks, so that a pool outside the leaders has a history too.
CREATE OR REPLACE VIEW share_history
AS SELECT
    chain,
    height,
    time,
    toUInt16(sum(pool = {pool:String}) OVER trailing) AS blocks,
    toUInt16(sum(pool = 'unknown') OVER trailing) AS unknown,
    toUInt16(count() OVER trailing) AS n,
    blocks / n AS share,
    (blocks + unknown) / n AS share_upper
FROM blocks
WINDOW trailing AS (PARTITION BY chain ORDER BY height ROWS BETWEEN {window:UInt16} - 1 PRECEDING AND CURRENT ROW)
ORDER BY chain, height
COMMENT 'Share of one pool in the trailing window at each height. Parameters: pool (its slug) and window (in blocks)';
