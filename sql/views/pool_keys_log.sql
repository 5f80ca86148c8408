-- One row of arrays, for transform(): cityHash64(toString(attribution_id), toUInt8(view), code) → slug or name. A scalar subquery reads it once,
-- so that conditions on the rows that are named still reach their primary key, as they would not through a join.
CREATE OR REPLACE VIEW pool_keys_log
AS SELECT
    groupArray(cityHash64(toString(attribution_id), toUInt8(view), code)) AS keys,
    groupArray(slug) AS slugs,
    groupArray(name) AS names
FROM pool_names_log FINAL
COMMENT 'Names of all pool codes as arrays; internal. Read the view pool_names';
