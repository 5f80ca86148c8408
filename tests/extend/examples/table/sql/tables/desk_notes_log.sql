-- What the person on shift noted about a block.
-- Written by: people
-- ORDER BY: notes are read by chain and height; a note written again replaces itself.
CREATE TABLE IF NOT EXISTS desk_notes_log
(
    chain LowCardinality(String) COMMENT 'Chain of the block',
    height UInt32 COMMENT 'Height that the note is about',
    note String COMMENT 'The note, one line',
    version UInt64 COMMENT 'Sequence of the writer; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (chain, height)
COMMENT 'Notes of the desk on single blocks';
