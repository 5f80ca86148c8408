-- What every metric did on each UTC day, in parts: a bucket is 512 heights, and a row is what one bucket has of one day. Header times go back
-- and forth across midnight, so the days of a chain cannot be told by height; buckets can. The worker writes a bucket whole, under one version,
-- whenever one of its heights changed: rows of a bucket below its newest version are what it had before.
-- Written by: streams
-- ORDER BY: a chart asks for one metric of one series, from its first day to its last.
CREATE TABLE IF NOT EXISTS concentration_daily_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the counts rest on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    metric LowCardinality(String) COMMENT 'Name of the metric, as the column of concentration',
    bucket UInt32 COMMENT 'Height divided by 512',
    day Date COMMENT 'UTC day of the header times; 1970-01-01 in the one row of a bucket that a reorganisation emptied',
    from_height UInt32 COMMENT 'Lowest height of the bucket on that day whose window is full',
    to_height UInt32 COMMENT 'Highest one',
    blocks UInt32 COMMENT 'Heights of the bucket on that day whose window is full; 0 where a reorganisation emptied the bucket',
    first Float64 COMMENT 'Value at from_height',
    last Float64 COMMENT 'Value at to_height',
    lowest Float64 COMMENT 'Lowest value; NaN where the metric is undefined at all of them',
    highest Float64 COMMENT 'Highest value',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest of a bucket wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (attribution_id, chain, view, window_blocks, metric, bucket, day)
SETTINGS index_granularity = 1024
COMMENT 'Every metric of every series by UTC day, in parts of 512 heights. Read the view concentration_daily';
