CREATE OR REPLACE VIEW pool_names
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the code belongs to; every set that was computed is listed',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    code UInt16 COMMENT 'Number of the pool or entity in this set and view; 0 is unknown',
    slug String COMMENT 'Stable lower-case name',
    name String COMMENT 'Name for people'
)
AS SELECT attribution_id, view, code, slug, name FROM pool_names_log FINAL
COMMENT 'Codes of pools and entities, and their names';
