CREATE OR REPLACE VIEW dead_letters
(
    letter_id String COMMENT 'Dead letter, 32 hexadecimal digits',
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
    truncated Bool COMMENT 'True where the payload is not whole',
    seen_at DateTime64(3, 'UTC') COMMENT 'When it was found to be bad',
    replayed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was last sent again; NULL where never'
)
AS SELECT letter_id, service, reason, detail, topic, partition, offset, event_index, key, payload, payload_bytes, payload_sha256,
    toBool(length(payload) < payload_bytes) AS truncated, seen_at, replayed_at
FROM dead_letters_log FINAL
COMMENT 'Events that could not be processed';
