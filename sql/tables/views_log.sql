-- Written by: migrate
-- ORDER BY: one row a view; its next text replaces it.
CREATE TABLE IF NOT EXISTS views_log
(
    name String COMMENT 'Name of the view',
    sha256 String COMMENT 'SHA-256 of its file and of those that it reads from, hexadecimal; empty where the view was dropped',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was created',
    version UInt64 COMMENT 'One more than the highest before; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
COMMENT 'Text of every view of this database, as a hash: a view is created anew where its file differs; internal';
