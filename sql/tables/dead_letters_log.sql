-- Written by: streams
-- ORDER BY: a letter is looked up by its id.
CREATE TABLE IF NOT EXISTS dead_letters_log
(
    letter_id String COMMENT 'Dead letter, 32 hexadecimal digits; follows from its place and its payload',
    service LowCardinality(String) COMMENT 'Service that could not process the event',
    reason LowCardinality(String) COMMENT 'Short stable slug, for counting',
    detail String COMMENT 'What was wrong with this one',
    topic LowCardinality(String) COMMENT 'Topic of the event',
    partition Int32 COMMENT 'Partition of the message',
    offset Int64 COMMENT 'Offset of the message',
    event_index Int32 COMMENT 'Place of the event in its message; -1 where the whole message is bad',
    key String COMMENT 'Key of the message',
    payload String COMMENT 'First 16 KiB of the event, raw bytes',
    payload_bytes UInt64 COMMENT 'Size of the whole event',
    payload_sha256 String COMMENT 'SHA-256 of the whole event, hexadecimal',
    seen_at DateTime64(3, 'UTC') COMMENT 'When it was found to be bad',
    replayed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When `counterpoise dlq replay` last sent it again; NULL where never',
    version UInt64 COMMENT 'Epoch of the writer and its sequence; the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY letter_id
COMMENT 'Events that could not be processed. Read the view dead_letters';
