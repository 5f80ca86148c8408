-- Written by: migrate
-- ORDER BY: by the whole identity, so that two different files of one number would both show.
CREATE TABLE IF NOT EXISTS migrations_log
(
    number UInt32 COMMENT 'Number of the migration',
    name String COMMENT 'Name of its file, without the number',
    sha256 String COMMENT 'SHA-256 of its file, hexadecimal',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree
ORDER BY (number, sha256)
COMMENT 'Migrations that were applied to this database; internal. Two different files of one number would both show';
