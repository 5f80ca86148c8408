CREATE OR REPLACE VIEW attribution_sets
(
    attribution_id String COMMENT 'Version of registry and entity map',
    current_on Array(String) COMMENT 'Chains on which this set is current; empty for a set that was superseded',
    flipped_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it last became current on a chain; NULL where it is current on none',
    created_at DateTime64(3, 'UTC') COMMENT 'When the set was first computed',
    document String COMMENT 'What the set was computed with, as JSON'
)
AS SELECT s.attribution_id AS attribution_id, p.chains AS current_on, if(empty(p.chains), NULL, p.flipped) AS flipped_at,
    s.created_at AS created_at, s.document AS document
FROM (SELECT * FROM attribution_sets_log FINAL) AS s
LEFT JOIN
(
    SELECT attribution_id, arraySort(groupArray(toString(chain))) AS chains, max(flipped_at) AS flipped
    FROM attribution_pointer_log FINAL
    GROUP BY attribution_id
) AS p ON s.attribution_id = p.attribution_id
COMMENT 'Every attribution set that was computed, and where it is current';
