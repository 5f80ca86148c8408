CREATE OR REPLACE VIEW attributions_of
AS WITH
    (SELECT (keys, slugs, names) FROM pool_keys_log) AS names,
    cityHash64(toString(a.attribution_id), toUInt8(0), a.pool_code) AS name_key
SELECT
    a.attribution_id AS attribution_id,
    a.chain AS chain,
    a.height AS height,
    lower(hex(a.hash)) AS hash,
    transform(name_key, names.1, names.2, '') AS pool,
    transform(name_key, names.1, names.3, '') AS pool_name,
    a.method AS method,
    a.matched AS matched,
    a.matched_offset AS matched_offset,
    a.candidates AS candidates,
    a.conflict AS conflict,
    a.template_builder AS template_builder
FROM (SELECT * FROM attributions_log FINAL WHERE attribution_id = {attribution_id:String}) AS a
INNER JOIN (SELECT chain, height, hash FROM blocks_canonical_log) AS b ON a.chain = b.chain AND a.height = b.height AND a.hash = b.hash
COMMENT 'As attributions, under the set that the parameter attribution_id names: what an old alert rested on';
