-- Rows of an earlier alerter that come late are looked for by their version: without reading the history.
ALTER TABLE alert_events_log
    ADD INDEX IF NOT EXISTS by_version version TYPE minmax GRANULARITY 1;
ALTER TABLE alert_events_log
    MATERIALIZE INDEX by_version;
