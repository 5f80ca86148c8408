-- The names that readers use. A view shows, of every fact, the one row that stands: FINAL drops what was replaced or undone, blocks that
-- lost are left out, and only the attribution set that is current on a chain is shown. Names that end in _log are internal.
-- Conditions on chain, view, window_blocks and height reach the primary keys below (a test reads the query plans).

CREATE OR REPLACE VIEW datasets
(
    name String COMMENT 'Name of the dataset: of this database and of its topics',
    kind LowCardinality(String) COMMENT 'live, historical or simulated',
    created_at DateTime64(3, 'UTC') COMMENT 'When the mark was set'
)
AS SELECT name, kind, min(m.created_at) AS created_at FROM datasets_log AS m GROUP BY name, kind
COMMENT 'What this database holds';

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

-- One canonical block a height even where a writer that was replaced left its own: the newest version wins.
CREATE OR REPLACE VIEW blocks_canonical_log
AS SELECT *
FROM blocks_log FINAL
WHERE status = 'canonical'
ORDER BY chain, height, version DESC
LIMIT 1 BY chain, height
COMMENT 'Canonical blocks as they are stored; internal. Read the view blocks';

CREATE OR REPLACE VIEW blocks
(
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Blocks between this one and the genesis block',
    hash String COMMENT 'Block hash, hexadecimal',
    prev_hash String COMMENT 'Hash of the block before, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time; it may lie before the time of the block before: order by height',
    status Enum8('parked' = 0, 'stale' = 1, 'canonical' = 2) COMMENT 'canonical: on the best chain; stale: on a branch that lost; parked: its parent is not known yet',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip, both included; 1 at the tip, 0 for a block that is not canonical',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    pool String COMMENT 'Pool that produced it, by its slug, under the current attribution set; unknown where nobody is known to have; empty where it is not attributed',
    pool_name String COMMENT 'Name of the pool for people',
    method Enum8('none' = 0, 'label' = 1, 'tag' = 2, 'address' = 3) COMMENT 'Evidence that decided',
    conflict Bool COMMENT 'True where address and tag point to different pools',
    template_builder LowCardinality(String) COMMENT 'Who built the block template, where that is known and is not the pool',
    attribution_id LowCardinality(String) COMMENT 'Attribution set that named the pool',
    bits UInt32 COMMENT 'Compact target of the header',
    coinbase_script String COMMENT 'Input script of the coinbase, raw bytes',
    payout_addresses Array(String) COMMENT 'Addresses of the outputs of the coinbase, in their order',
    label String COMMENT 'What a replayed file says about the producer',
    fees_sats Nullable(UInt64) COMMENT 'Fees of the block in satoshis; NULL where the source does not say',
    source LowCardinality(String) COMMENT 'Source that saw the block first',
    synthetic Bool COMMENT 'True where the hash was made up because the source had none',
    seen_at DateTime64(3, 'UTC') COMMENT 'When the source saw the block'
)
AS WITH
    (
        SELECT (groupArray(toString(chain)), groupArray(tip))
        FROM (SELECT chain, max(height) AS tip FROM blocks_log FINAL WHERE status = 'canonical' GROUP BY chain)
    ) AS tips,
    (
        SELECT (groupArray(cityHash64(toString(attribution_id), toUInt8(view), code)), groupArray(slug), groupArray(name))
        FROM pool_names_log FINAL
    ) AS names,
    cityHash64(toString(a.attribution_id), toUInt8(0), a.pool_code) AS name_key
SELECT
    b.chain AS chain,
    b.height AS height,
    lower(hex(b.hash)) AS hash,
    lower(hex(b.prev_hash)) AS prev_hash,
    b.time AS time,
    b.status AS status,
    toUInt32(greatest(toInt64(transform(toString(b.chain), tips.1, tips.2, toUInt32(0))) - b.height + 1, 1)) AS confirmations,
    toBool(confirmations < 6) AS provisional,
    transform(name_key, names.1, names.2, '') AS pool,
    transform(name_key, names.1, names.3, '') AS pool_name,
    a.method AS method,
    a.conflict AS conflict,
    a.template_builder AS template_builder,
    a.attribution_id AS attribution_id,
    b.bits AS bits,
    b.coinbase_script AS coinbase_script,
    b.payout_addresses AS payout_addresses,
    b.label AS label,
    b.fees_sats AS fees_sats,
    b.source AS source,
    b.synthetic AS synthetic,
    b.seen_at AS seen_at
FROM blocks_canonical_log AS b
LEFT JOIN
(
    SELECT * FROM attributions_log FINAL
    WHERE (attribution_id, chain) IN (
        SELECT attribution_id, chain FROM attribution_pointer_log FINAL
    )
) AS a ON b.chain = a.chain AND b.height = a.height AND b.hash = a.hash
COMMENT 'The best chain: one block a height, with the pool that produced it under the current attribution set';

-- As in blocks, of two canonical blocks of one height only the newest version is; the other lost.
CREATE OR REPLACE VIEW blocks_all
(
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Blocks between this one and the genesis block',
    hash String COMMENT 'Block hash, hexadecimal',
    prev_hash String COMMENT 'Hash of the block before, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time; it may lie before the time of the block before: order by height',
    status Enum8('parked' = 0, 'stale' = 1, 'canonical' = 2) COMMENT 'canonical: on the best chain; stale: on a branch that lost; parked: its parent is not known yet',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip, both included; 1 at the tip, 0 for a block that is not canonical',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    pool String COMMENT 'Pool that produced it, by its slug, under the current attribution set; unknown where nobody is known to have; empty where it is not attributed',
    pool_name String COMMENT 'Name of the pool for people',
    method Enum8('none' = 0, 'label' = 1, 'tag' = 2, 'address' = 3) COMMENT 'Evidence that decided',
    conflict Bool COMMENT 'True where address and tag point to different pools',
    template_builder LowCardinality(String) COMMENT 'Who built the block template, where that is known and is not the pool',
    attribution_id LowCardinality(String) COMMENT 'Attribution set that named the pool',
    bits UInt32 COMMENT 'Compact target of the header',
    coinbase_script String COMMENT 'Input script of the coinbase, raw bytes',
    payout_addresses Array(String) COMMENT 'Addresses of the outputs of the coinbase, in their order',
    label String COMMENT 'What a replayed file says about the producer',
    fees_sats Nullable(UInt64) COMMENT 'Fees of the block in satoshis; NULL where the source does not say',
    source LowCardinality(String) COMMENT 'Source that saw the block first',
    synthetic Bool COMMENT 'True where the hash was made up because the source had none',
    seen_at DateTime64(3, 'UTC') COMMENT 'When the source saw the block'
)
AS WITH
    (
        SELECT (groupArray(toString(chain)), groupArray(tip))
        FROM (SELECT chain, max(height) AS tip FROM blocks_log FINAL WHERE status = 'canonical' GROUP BY chain)
    ) AS tips,
    (
        SELECT (groupArray(cityHash64(toString(attribution_id), toUInt8(view), code)), groupArray(slug), groupArray(name))
        FROM pool_names_log FINAL
    ) AS names,
    cityHash64(toString(a.attribution_id), toUInt8(0), a.pool_code) AS name_key
SELECT
    b.chain AS chain,
    b.height AS height,
    lower(hex(b.hash)) AS hash,
    lower(hex(b.prev_hash)) AS prev_hash,
    b.time AS time,
    b.status AS status,
    if(b.status = 'canonical', toUInt32(greatest(toInt64(transform(toString(b.chain), tips.1, tips.2, toUInt32(0))) - b.height + 1, 1)), 0) AS confirmations,
    toBool(confirmations < 6) AS provisional,
    transform(name_key, names.1, names.2, '') AS pool,
    transform(name_key, names.1, names.3, '') AS pool_name,
    a.method AS method,
    a.conflict AS conflict,
    a.template_builder AS template_builder,
    a.attribution_id AS attribution_id,
    b.bits AS bits,
    b.coinbase_script AS coinbase_script,
    b.payout_addresses AS payout_addresses,
    b.label AS label,
    b.fees_sats AS fees_sats,
    b.source AS source,
    b.synthetic AS synthetic,
    b.seen_at AS seen_at
FROM
(
    SELECT * REPLACE (if(status = 'canonical' AND version < newest, CAST('stale', 'Enum8(\'parked\' = 0, \'stale\' = 1, \'canonical\' = 2)'), status) AS status)
    FROM (SELECT *, maxIf(version, status = 'canonical') OVER (PARTITION BY chain, height) AS newest FROM blocks_log FINAL)
) AS b
LEFT JOIN
(
    SELECT * FROM attributions_log FINAL
    WHERE (attribution_id, chain) IN (
        SELECT attribution_id, chain FROM attribution_pointer_log FINAL
    )
) AS a ON b.chain = a.chain AND b.height = a.height AND b.hash = a.hash
COMMENT 'Every block ever seen, also those that lost or whose parent is missing: for stale rates, never for shares';

-- Evidence of blocks of the best chain only; what lost stands in blocks_all.
CREATE OR REPLACE VIEW attributions
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set, current on the chain',
    chain LowCardinality(String) COMMENT 'Chain',
    height UInt32 COMMENT 'Height of the block',
    hash String COMMENT 'Hash of the block, hexadecimal',
    pool String COMMENT 'Pool that produced it, by its slug; unknown where nobody is known to have',
    pool_name String COMMENT 'Name of the pool for people',
    method Enum8('none' = 0, 'label' = 1, 'tag' = 2, 'address' = 3) COMMENT 'Evidence that decided',
    matched String COMMENT 'The address, tag or label that matched',
    matched_offset Int32 COMMENT 'Byte offset of the matched tag in the coinbase script; -1 where there is none',
    candidates Array(String) COMMENT 'Every pool that some evidence pointed to, as slugs, the one that decided first',
    conflict Bool COMMENT 'True where address and tag point to different pools; recorded, not resolved',
    template_builder LowCardinality(String) COMMENT 'Who built the block template, where that is known and is not the pool'
)
AS WITH
    (
        SELECT (groupArray(cityHash64(toString(attribution_id), toUInt8(view), code)), groupArray(slug), groupArray(name))
        FROM pool_names_log FINAL
    ) AS names,
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
FROM (SELECT * FROM attributions_log FINAL WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)) AS a
INNER JOIN (SELECT chain, height, hash FROM blocks_canonical_log) AS b ON a.chain = b.chain AND a.height = b.height AND a.hash = b.hash
COMMENT 'Attribution of each block of the best chain with its evidence, under the current set';

CREATE OR REPLACE VIEW attributions_of
AS WITH
    (
        SELECT (groupArray(cityHash64(toString(attribution_id), toUInt8(view), code)), groupArray(slug), groupArray(name))
        FROM pool_names_log FINAL
    ) AS names,
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

-- Every metric of concentration, derived once for all sets, in steps from the inside out: stored integers, sums of the posterior, moments,
-- shape of the interval, metrics. Lower bounds keep unknown in the denominator; what speaks of a distribution over pools leaves it out.
-- The intervals of hhi and effective_pools_d2 are those of counterpoise/metrics/hhi_interval.py: exact moments under a Dirichlet with
-- prior mass 1, lognormal above the floor that the index can take. NaN is "undefined": 0 of 0.
CREATE OR REPLACE VIEW concentration_sets_log
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the row rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of the last block of the window, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip of the chain, both included; 1 at the tip',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Blocks of the window that nobody is known to have produced; in n, in no pool',
    window_full Bool COMMENT 'True where n equals window_blocks',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window',
    leaders Array(Tuple(pool String, blocks UInt16)) COMMENT 'The largest pools (or entities), at most six, with their blocks, largest first',
    c1 UInt16 COMMENT 'Blocks of the largest pool',
    c2 UInt16 COMMENT 'Blocks of the second largest pool',
    c3 UInt16 COMMENT 'Blocks of the third largest pool',
    c4 UInt16 COMMENT 'Blocks of the fourth largest pool',
    c5 UInt16 COMMENT 'Blocks of the fifth largest pool',
    c6 UInt16 COMMENT 'Blocks of the sixth largest pool',
    top1_share Float64 COMMENT 'Share of the largest pool of all n blocks, a lower bound: no unknown block is its own',
    top2_share Float64 COMMENT 'Share of the 2 largest of all n blocks, a lower bound: no unknown block is theirs',
    top3_share Float64 COMMENT 'Share of the 3 largest of all n blocks, a lower bound: no unknown block is theirs',
    top4_share Float64 COMMENT 'Share of the 4 largest of all n blocks, a lower bound: no unknown block is theirs',
    top5_share Float64 COMMENT 'Share of the 5 largest of all n blocks, a lower bound: no unknown block is theirs',
    top6_share Float64 COMMENT 'Share of the 6 largest of all n blocks, a lower bound: no unknown block is theirs',
    top1_share_upper Float64 COMMENT 'Upper bound of top1_share: every unknown block is its own',
    top2_share_upper Float64 COMMENT 'Upper bound of top2_share: every unknown block is theirs',
    top3_share_upper Float64 COMMENT 'Upper bound of top3_share: every unknown block is theirs',
    top4_share_upper Float64 COMMENT 'Upper bound of top4_share: every unknown block is theirs',
    top5_share_upper Float64 COMMENT 'Upper bound of top5_share: every unknown block is theirs',
    top6_share_upper Float64 COMMENT 'Upper bound of top6_share: every unknown block is theirs',
    top1_share_low Float64 COMMENT '2.5 % quantile of the share of this largest pool',
    top1_share_high Float64 COMMENT '97.5 % quantile of the share of this largest pool',
    top4_share_low Float64 COMMENT '2.5 % quantile of the share of these four pools',
    top4_share_high Float64 COMMENT '97.5 % quantile of the share of these four pools',
    p_top4_above_75 Float64 COMMENT 'Probability that these four pools hold more than 75 % of the hashrate',
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1: sum of squared shares, unknown in the denominator (a lower bound)',
    hhi_10000 Float64 COMMENT 'The same in points, 0 to 10000',
    hhi_unbiased Float64 COMMENT 'Chance that two different blocks of the window are by one pool: free of the bias of small windows; NaN for one block',
    hhi_low Float64 COMMENT '2.5 % quantile of the index of the hashrate',
    hhi_high Float64 COMMENT '97.5 % quantile of the index of the hashrate',
    effective_pools_d2 Float64 COMMENT 'Effective number of pools of order 2: how many equal pools would have this index; attributed blocks only, NaN where there are none',
    effective_pools_d2_low Float64 COMMENT '2.5 % quantile of effective_pools_d2',
    effective_pools_d2_high Float64 COMMENT '97.5 % quantile of effective_pools_d2',
    effective_pools_d1 Float64 COMMENT 'Effective number of pools of order 1: exp(entropy_nats); attributed blocks only',
    entropy_bits Float64 COMMENT 'Shannon entropy in bits; attributed blocks only, NaN where there are none',
    entropy_nats Float64 COMMENT 'Shannon entropy in nats; attributed blocks only',
    entropy_normalised Float64 COMMENT 'Entropy over the largest that as many pools can have, 0 to 1; 0 for one pool',
    gini Float64 COMMENT 'Gini coefficient over the pools seen; attributed blocks only',
    theil_nats Float64 COMMENT 'Theil index over the pools seen, in nats: ln(pools_seen) - entropy_nats',
    nakamoto_one_third UInt16 COMMENT 'Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not',
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not',
    s2 UInt64 COMMENT 'Sum over the pools of count squared',
    s3 UInt64 COMMENT 'Sum over the pools of count cubed',
    s4 UInt64 COMMENT 'Sum over the pools of count to the fourth',
    gini_num Int64 COMMENT 'Numerator of the Gini coefficient',
    sum_c_ln_c Float64 COMMENT 'Sum over the pools of c ln c',
    version UInt64 COMMENT 'Version of the row: epoch of the writer and its sequence'
)
AS WITH
    (
        SELECT (groupArray(toString(chain)), groupArray(tip))
        FROM (SELECT chain, max(height) AS tip FROM blocks_log FINAL WHERE status = 'canonical' GROUP BY chain)
    ) AS tips,
    (
        SELECT (groupArray(cityHash64(toString(attribution_id), toUInt8(view), code)), groupArray(slug))
        FROM pool_names_log FINAL
    ) AS names
SELECT
    attribution_id,
    chain,
    view,
    window_blocks,
    height,
    lower(hex(r.tip_hash)) AS tip_hash,
    time,
    toUInt32(greatest(toInt64(transform(toString(chain), tips.1, tips.2, toUInt32(0))) - height + 1, 1)) AS confirmations,
    toBool(toInt64(transform(toString(chain), tips.1, tips.2, toUInt32(0))) - height < 5) AS provisional,
    n,
    unknown,
    window_full,
    pools_seen,
    arrayMap(
        leader -> (transform(cityHash64(toString(attribution_id), toUInt8(view), leader.1), names.1, names.2, ''), leader.2),
        arrayFilter(leader -> leader.2 > 0, [(l1, c1), (l2, c2), (l3, c3), (l4, c4), (l5, c5), (l6, c6)])
    ) AS leaders,
    c1, c2, c3, c4, c5, c6,
    (c1) / n AS top1_share,
    (c1 + c2) / n AS top2_share,
    (c1 + c2 + c3) / n AS top3_share,
    (c1 + c2 + c3 + c4) / n AS top4_share,
    (c1 + c2 + c3 + c4 + c5) / n AS top5_share,
    (c1 + c2 + c3 + c4 + c5 + c6) / n AS top6_share,
    (c1 + unknown) / n AS top1_share_upper,
    (c1 + c2 + unknown) / n AS top2_share_upper,
    (c1 + c2 + c3 + unknown) / n AS top3_share_upper,
    (c1 + c2 + c3 + c4 + unknown) / n AS top4_share_upper,
    (c1 + c2 + c3 + c4 + c5 + unknown) / n AS top5_share_upper,
    (c1 + c2 + c3 + c4 + c5 + c6 + unknown) / n AS top6_share_upper,
    top1_lo AS top1_share_low,
    top1_hi AS top1_share_high,
    top4_lo AS top4_share_low,
    top4_hi AS top4_share_high,
    p_top4_above_75,
    s2 / (n * n) AS hhi,
    10000. * (s2 / (n * n)) AS hhi_10000,
    (s2 - known) / (n * (n - 1)) AS hhi_unbiased,
    multiIf(n = 0, nan, certain, if(pools_seen = 0, 0., 1.), lowest + middle / factor) AS hhi_low,
    multiIf(n = 0, nan, certain, if(pools_seen = 0, 0., 1.), least(lowest + middle * factor, 1.)) AS hhi_high,
    known * known / s2 AS effective_pools_d2,
    multiIf(known = 0, nan, pools_seen = 1, 1., 1. / least(1. / k + known_middle * known_factor, 1.)) AS effective_pools_d2_low,
    multiIf(known = 0, nan, pools_seen = 1, 1., 1. / (1. / k + known_middle / known_factor)) AS effective_pools_d2_high,
    exp(nats) AS effective_pools_d1,
    nats / log(2.) AS entropy_bits,
    nats AS entropy_nats,
    multiIf(known = 0, nan, pools_seen = 1, 0., least(nats / log(k), 1.)) AS entropy_normalised,
    gini_num / (pools_seen * known) AS gini,
    if(known = 0, nan, greatest(log(k) - nats, 0.)) AS theil_nats,
    nakamoto_one_third,
    nakamoto_half,
    s2,
    s3,
    s4,
    gini_num,
    sum_c_ln_c,
    version
FROM
(
    SELECT *,
        excess / sqrt(1. + spread) AS middle,
        exp(1.959963984540054 * sqrt(log1p(spread))) AS factor,
        known_excess / sqrt(1. + known_spread) AS known_middle,
        exp(1.959963984540054 * sqrt(log1p(known_spread))) AS known_factor
    FROM
    (
        SELECT *,
            moment / pairs - lowest AS excess,
            greatest((cubes - moment * moment * (4. * mass + 6.) / pairs) / (pairs * (mass + 2.) * (mass + 3.)), 0.) / (excess * excess) AS spread,
            moment / known_pairs - 1. / k AS known_excess,
            greatest((cubes - moment * moment * (4. * a1 + 6.) / known_pairs) / (known_pairs * (a1 + 2.) * (a1 + 3.)), 0.) / (known_excess * known_excess) AS known_spread
        FROM
        (
            SELECT *,
                a1 + a2 AS moment,
                4. * a3 + 10. * a2 + 6. * a1 AS cubes,
                mass * (mass + 1.) AS pairs,
                a1 * (a1 + 1.) AS known_pairs
            FROM
            (
                SELECT *,
                    known + 1. AS a1,
                    s2 + (2. * known + 1.) / k AS a2,
                    s3 + 3. * s2 / k + (3. * known + 1.) / (k * k) AS a3,
                    n + 1. AS mass,
                    if(unknown = 0, 1. / k, 0.) AS lowest,
                    pools_seen = 0 OR (pools_seen = 1 AND unknown = 0) AS certain,
                    if(known = 0, nan, greatest(log(known) - sum_c_ln_c / known, 0.)) AS nats
                FROM
                (
                    SELECT *, toInt64(n) - unknown AS known, toFloat64(greatest(pools_seen, 1)) AS k
                    FROM concentration_log FINAL
                )
            )
        )
    )
) AS r
COMMENT 'Concentration of every attribution set beside each other; internal. Read the views concentration and concentration_of';

CREATE OR REPLACE VIEW concentration
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the row rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of the last block of the window, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip of the chain, both included; 1 at the tip',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Blocks of the window that nobody is known to have produced; in n, in no pool',
    window_full Bool COMMENT 'True where n equals window_blocks',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window',
    leaders Array(Tuple(pool String, blocks UInt16)) COMMENT 'The largest pools (or entities), at most six, with their blocks, largest first',
    c1 UInt16 COMMENT 'Blocks of the largest pool',
    c2 UInt16 COMMENT 'Blocks of the second largest pool',
    c3 UInt16 COMMENT 'Blocks of the third largest pool',
    c4 UInt16 COMMENT 'Blocks of the fourth largest pool',
    c5 UInt16 COMMENT 'Blocks of the fifth largest pool',
    c6 UInt16 COMMENT 'Blocks of the sixth largest pool',
    top1_share Float64 COMMENT 'Share of the largest pool of all n blocks, a lower bound: no unknown block is its own',
    top2_share Float64 COMMENT 'Share of the 2 largest of all n blocks, a lower bound: no unknown block is theirs',
    top3_share Float64 COMMENT 'Share of the 3 largest of all n blocks, a lower bound: no unknown block is theirs',
    top4_share Float64 COMMENT 'Share of the 4 largest of all n blocks, a lower bound: no unknown block is theirs',
    top5_share Float64 COMMENT 'Share of the 5 largest of all n blocks, a lower bound: no unknown block is theirs',
    top6_share Float64 COMMENT 'Share of the 6 largest of all n blocks, a lower bound: no unknown block is theirs',
    top1_share_upper Float64 COMMENT 'Upper bound of top1_share: every unknown block is its own',
    top2_share_upper Float64 COMMENT 'Upper bound of top2_share: every unknown block is theirs',
    top3_share_upper Float64 COMMENT 'Upper bound of top3_share: every unknown block is theirs',
    top4_share_upper Float64 COMMENT 'Upper bound of top4_share: every unknown block is theirs',
    top5_share_upper Float64 COMMENT 'Upper bound of top5_share: every unknown block is theirs',
    top6_share_upper Float64 COMMENT 'Upper bound of top6_share: every unknown block is theirs',
    top1_share_low Float64 COMMENT '2.5 % quantile of the share of this largest pool',
    top1_share_high Float64 COMMENT '97.5 % quantile of the share of this largest pool',
    top4_share_low Float64 COMMENT '2.5 % quantile of the share of these four pools',
    top4_share_high Float64 COMMENT '97.5 % quantile of the share of these four pools',
    p_top4_above_75 Float64 COMMENT 'Probability that these four pools hold more than 75 % of the hashrate',
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1: sum of squared shares, unknown in the denominator (a lower bound)',
    hhi_10000 Float64 COMMENT 'The same in points, 0 to 10000',
    hhi_unbiased Float64 COMMENT 'Chance that two different blocks of the window are by one pool: free of the bias of small windows; NaN for one block',
    hhi_low Float64 COMMENT '2.5 % quantile of the index of the hashrate',
    hhi_high Float64 COMMENT '97.5 % quantile of the index of the hashrate',
    effective_pools_d2 Float64 COMMENT 'Effective number of pools of order 2: how many equal pools would have this index; attributed blocks only, NaN where there are none',
    effective_pools_d2_low Float64 COMMENT '2.5 % quantile of effective_pools_d2',
    effective_pools_d2_high Float64 COMMENT '97.5 % quantile of effective_pools_d2',
    effective_pools_d1 Float64 COMMENT 'Effective number of pools of order 1: exp(entropy_nats); attributed blocks only',
    entropy_bits Float64 COMMENT 'Shannon entropy in bits; attributed blocks only, NaN where there are none',
    entropy_nats Float64 COMMENT 'Shannon entropy in nats; attributed blocks only',
    entropy_normalised Float64 COMMENT 'Entropy over the largest that as many pools can have, 0 to 1; 0 for one pool',
    gini Float64 COMMENT 'Gini coefficient over the pools seen; attributed blocks only',
    theil_nats Float64 COMMENT 'Theil index over the pools seen, in nats: ln(pools_seen) - entropy_nats',
    nakamoto_one_third UInt16 COMMENT 'Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not',
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not',
    s2 UInt64 COMMENT 'Sum over the pools of count squared',
    s3 UInt64 COMMENT 'Sum over the pools of count cubed',
    s4 UInt64 COMMENT 'Sum over the pools of count to the fourth',
    gini_num Int64 COMMENT 'Numerator of the Gini coefficient',
    sum_c_ln_c Float64 COMMENT 'Sum over the pools of c ln c',
    version UInt64 COMMENT 'Version of the row: epoch of the writer and its sequence'
)
AS SELECT *
FROM concentration_sets_log
WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
COMMENT 'Pool concentration of each trailing window at each height of the best chain, under the current attribution set';

CREATE OR REPLACE VIEW concentration_of
AS SELECT * FROM concentration_sets_log WHERE attribution_id = {attribution_id:String}
COMMENT 'As concentration, under the set that the parameter attribution_id names: recomputes what an old alert rested on';

-- The newest height of each series. A tombstone may lie above it, so the search begins a deep reorganisation below the highest row.
CREATE OR REPLACE VIEW latest_concentration
(
    attribution_id LowCardinality(String) COMMENT 'Attribution set that the row rests on',
    chain LowCardinality(String) COMMENT 'Chain',
    view Enum8('raw' = 0, 'entity' = 1) COMMENT 'raw: pools; entity: owners and proxies according to the dated map',
    window_blocks UInt16 COMMENT 'Length of the trailing window in blocks',
    height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of the last block of the window, hexadecimal',
    time DateTime64(3, 'UTC') COMMENT 'Header time of the last block of the window',
    confirmations UInt32 COMMENT 'Blocks from this height up to the tip of the chain, both included; 1 at the tip',
    provisional Bool COMMENT 'True below 6 confirmations: a reorganisation may still undo it',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Blocks of the window that nobody is known to have produced; in n, in no pool',
    window_full Bool COMMENT 'True where n equals window_blocks',
    pools_seen UInt16 COMMENT 'Different pools (or entities) with at least one block in the window',
    leaders Array(Tuple(pool String, blocks UInt16)) COMMENT 'The largest pools (or entities), at most six, with their blocks, largest first',
    c1 UInt16 COMMENT 'Blocks of the largest pool',
    c2 UInt16 COMMENT 'Blocks of the second largest pool',
    c3 UInt16 COMMENT 'Blocks of the third largest pool',
    c4 UInt16 COMMENT 'Blocks of the fourth largest pool',
    c5 UInt16 COMMENT 'Blocks of the fifth largest pool',
    c6 UInt16 COMMENT 'Blocks of the sixth largest pool',
    top1_share Float64 COMMENT 'Share of the largest pool of all n blocks, a lower bound: no unknown block is its own',
    top2_share Float64 COMMENT 'Share of the 2 largest of all n blocks, a lower bound: no unknown block is theirs',
    top3_share Float64 COMMENT 'Share of the 3 largest of all n blocks, a lower bound: no unknown block is theirs',
    top4_share Float64 COMMENT 'Share of the 4 largest of all n blocks, a lower bound: no unknown block is theirs',
    top5_share Float64 COMMENT 'Share of the 5 largest of all n blocks, a lower bound: no unknown block is theirs',
    top6_share Float64 COMMENT 'Share of the 6 largest of all n blocks, a lower bound: no unknown block is theirs',
    top1_share_upper Float64 COMMENT 'Upper bound of top1_share: every unknown block is its own',
    top2_share_upper Float64 COMMENT 'Upper bound of top2_share: every unknown block is theirs',
    top3_share_upper Float64 COMMENT 'Upper bound of top3_share: every unknown block is theirs',
    top4_share_upper Float64 COMMENT 'Upper bound of top4_share: every unknown block is theirs',
    top5_share_upper Float64 COMMENT 'Upper bound of top5_share: every unknown block is theirs',
    top6_share_upper Float64 COMMENT 'Upper bound of top6_share: every unknown block is theirs',
    top1_share_low Float64 COMMENT '2.5 % quantile of the share of this largest pool',
    top1_share_high Float64 COMMENT '97.5 % quantile of the share of this largest pool',
    top4_share_low Float64 COMMENT '2.5 % quantile of the share of these four pools',
    top4_share_high Float64 COMMENT '97.5 % quantile of the share of these four pools',
    p_top4_above_75 Float64 COMMENT 'Probability that these four pools hold more than 75 % of the hashrate',
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1: sum of squared shares, unknown in the denominator (a lower bound)',
    hhi_10000 Float64 COMMENT 'The same in points, 0 to 10000',
    hhi_unbiased Float64 COMMENT 'Chance that two different blocks of the window are by one pool: free of the bias of small windows; NaN for one block',
    hhi_low Float64 COMMENT '2.5 % quantile of the index of the hashrate',
    hhi_high Float64 COMMENT '97.5 % quantile of the index of the hashrate',
    effective_pools_d2 Float64 COMMENT 'Effective number of pools of order 2: how many equal pools would have this index; attributed blocks only, NaN where there are none',
    effective_pools_d2_low Float64 COMMENT '2.5 % quantile of effective_pools_d2',
    effective_pools_d2_high Float64 COMMENT '97.5 % quantile of effective_pools_d2',
    effective_pools_d1 Float64 COMMENT 'Effective number of pools of order 1: exp(entropy_nats); attributed blocks only',
    entropy_bits Float64 COMMENT 'Shannon entropy in bits; attributed blocks only, NaN where there are none',
    entropy_nats Float64 COMMENT 'Shannon entropy in nats; attributed blocks only',
    entropy_normalised Float64 COMMENT 'Entropy over the largest that as many pools can have, 0 to 1; 0 for one pool',
    gini Float64 COMMENT 'Gini coefficient over the pools seen; attributed blocks only',
    theil_nats Float64 COMMENT 'Theil index over the pools seen, in nats: ln(pools_seen) - entropy_nats',
    nakamoto_one_third UInt16 COMMENT 'Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not',
    nakamoto_half UInt16 COMMENT 'Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not',
    s2 UInt64 COMMENT 'Sum over the pools of count squared',
    s3 UInt64 COMMENT 'Sum over the pools of count cubed',
    s4 UInt64 COMMENT 'Sum over the pools of count to the fourth',
    gini_num Int64 COMMENT 'Numerator of the Gini coefficient',
    sum_c_ln_c Float64 COMMENT 'Sum over the pools of c ln c',
    version UInt64 COMMENT 'Version of the row: epoch of the writer and its sequence'
)
AS SELECT *
FROM concentration
WHERE height + 2100 > (SELECT min(tip) FROM (SELECT max(height) AS tip FROM concentration_log GROUP BY chain))
ORDER BY chain, view, window_blocks, height DESC
LIMIT 1 BY chain, view, window_blocks
COMMENT 'The newest row of concentration for each chain, view and window';

CREATE OR REPLACE VIEW top_pools
AS SELECT chain, height, time, attribution_id, row_number() OVER (PARTITION BY chain ORDER BY blocks DESC, pool) AS rank,
    leader.1 AS pool, leader.2 AS blocks, blocks / n AS share, n, unknown
FROM latest_concentration
ARRAY JOIN leaders AS leader
WHERE view = {view:String} AND window_blocks = {window:UInt16}
ORDER BY chain, rank
COMMENT 'The largest pools now, at most six. Parameters: view (raw or entity) and window (in blocks)';

-- Counted from the blocks, so that a pool outside the leaders has a history too.
CREATE OR REPLACE VIEW share_history
AS SELECT
    chain,
    height,
    time,
    toUInt16(sum(pool = {pool:String}) OVER trailing) AS blocks,
    toUInt16(sum(pool = 'unknown') OVER trailing) AS unknown,
    toUInt16(count() OVER trailing) AS n,
    blocks / n AS share,
    (blocks + unknown) / n AS share_upper
FROM blocks
WINDOW trailing AS (PARTITION BY chain ORDER BY height ROWS BETWEEN {window:UInt16} - 1 PRECEDING AND CURRENT ROW)
ORDER BY chain, height
COMMENT 'Share of one pool in the trailing window at each height. Parameters: pool (its slug) and window (in blocks)';

CREATE OR REPLACE VIEW alert_events
(
    alert_id String COMMENT 'Alert, 16 hexadecimal digits',
    sequence UInt32 COMMENT 'Step of the alert, from 0',
    rule_id LowCardinality(String) COMMENT 'Rule',
    rule_hash String COMMENT 'Hash of the text of the rule',
    state LowCardinality(String) COMMENT 'possible, pending, firing or rebased (open); resolved, inactive or retracted (closed)',
    previous_state LowCardinality(String) COMMENT 'State before; empty at the first step',
    reason LowCardinality(String) COMMENT 'Why the step was taken: observed, reorg, restated, rebased or rule-changed',
    notify Bool COMMENT 'False for what is recorded and not said',
    undoes Array(UInt32) COMMENT 'Steps of this alert that a retraction takes back',
    event_time DateTime64(3, 'UTC') COMMENT 'Time of the block (or of the clock, for a dead-man rule) that caused the step',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the step was recorded',
    start_height Nullable(UInt32) COMMENT 'Height where the episode began; for a dead-man rule the height or the second (unix) that names it',
    value Nullable(Float64) COMMENT 'Value of the metric of the rule; of a share its lower bound',
    value_low Nullable(Float64) COMMENT 'Lower bound of the value',
    value_high Nullable(Float64) COMMENT 'Upper bound of the value',
    interval_low Nullable(Float64) COMMENT '2.5 % quantile of the value',
    interval_high Nullable(Float64) COMMENT '97.5 % quantile of the value',
    threshold Nullable(Float64) COMMENT 'Line of the rule',
    summary String COMMENT 'One sentence for people',
    chain LowCardinality(String) COMMENT 'Chain of the evidence; empty where there is none',
    view LowCardinality(String) COMMENT 'View of the evidence: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the evidence in blocks; 0 where there is none',
    from_height Nullable(UInt32) COMMENT 'First height of the evidence',
    height Nullable(UInt32) COMMENT 'Last height of the evidence',
    tip_hash String COMMENT 'Hash of the block at that height, hexadecimal',
    attribution_id LowCardinality(String) COMMENT 'Attribution set of the evidence',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Unattributed blocks in the window',
    pools_seen UInt16 COMMENT 'Different pools in the window',
    counts Array(Tuple(pool String, blocks UInt16)) COMMENT 'Leaders and their blocks, largest first',
    reproduce_sql String COMMENT 'Query that computes the value again',
    evidence String COMMENT 'The whole evidence as JSON'
)
AS SELECT alert_id, sequence, rule_id, rule_hash, state, previous_state, reason, notify, undoes, event_time, recorded_at, start_height, value, value_low, value_high, interval_low, interval_high, threshold, summary, chain, view, window_blocks, from_height, height, tip_hash, attribution_id, n, unknown, pools_seen, counts, reproduce_sql, evidence
FROM alert_events_log FINAL
COMMENT 'Every transition of every alert';

CREATE OR REPLACE VIEW alerts
(
    alert_id String COMMENT 'Alert, 16 hexadecimal digits',
    sequence UInt32 COMMENT 'Step of the alert, from 0',
    rule_id LowCardinality(String) COMMENT 'Rule',
    rule_hash String COMMENT 'Hash of the text of the rule',
    state LowCardinality(String) COMMENT 'possible, pending, firing or rebased (open); resolved, inactive or retracted (closed)',
    previous_state LowCardinality(String) COMMENT 'State before; empty at the first step',
    reason LowCardinality(String) COMMENT 'Why the step was taken: observed, reorg, restated, rebased or rule-changed',
    notify Bool COMMENT 'False for what is recorded and not said',
    undoes Array(UInt32) COMMENT 'Steps of this alert that a retraction takes back',
    event_time DateTime64(3, 'UTC') COMMENT 'Time of the block (or of the clock, for a dead-man rule) that caused the step',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the step was recorded',
    start_height Nullable(UInt32) COMMENT 'Height where the episode began; for a dead-man rule the height or the second (unix) that names it',
    value Nullable(Float64) COMMENT 'Value of the metric of the rule; of a share its lower bound',
    value_low Nullable(Float64) COMMENT 'Lower bound of the value',
    value_high Nullable(Float64) COMMENT 'Upper bound of the value',
    interval_low Nullable(Float64) COMMENT '2.5 % quantile of the value',
    interval_high Nullable(Float64) COMMENT '97.5 % quantile of the value',
    threshold Nullable(Float64) COMMENT 'Line of the rule',
    summary String COMMENT 'One sentence for people',
    chain LowCardinality(String) COMMENT 'Chain of the evidence; empty where there is none',
    view LowCardinality(String) COMMENT 'View of the evidence: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the evidence in blocks; 0 where there is none',
    from_height Nullable(UInt32) COMMENT 'First height of the evidence',
    height Nullable(UInt32) COMMENT 'Last height of the evidence',
    tip_hash String COMMENT 'Hash of the block at that height, hexadecimal',
    attribution_id LowCardinality(String) COMMENT 'Attribution set of the evidence',
    n UInt16 COMMENT 'Blocks in the window',
    unknown UInt16 COMMENT 'Unattributed blocks in the window',
    pools_seen UInt16 COMMENT 'Different pools in the window',
    counts Array(Tuple(pool String, blocks UInt16)) COMMENT 'Leaders and their blocks, largest first',
    reproduce_sql String COMMENT 'Query that computes the value again',
    evidence String COMMENT 'The whole evidence as JSON'
)
AS SELECT *
FROM alert_events
ORDER BY alert_id, sequence DESC
LIMIT 1 BY alert_id
COMMENT 'Every alert as it stands: its latest transition';

CREATE OR REPLACE VIEW alert_deliveries
(
    alert_id String COMMENT 'Alert',
    sequence UInt32 COMMENT 'Step of the alert',
    notifier LowCardinality(String) COMMENT 'slack or console',
    action LowCardinality(String) COMMENT 'post, thread, update, start or reminder-N',
    status Enum8('pending' = 0, 'sent' = 1, 'skipped' = 2) COMMENT 'pending: to be sent; sent: the other side accepted it; skipped: history, muted or not meant to be sent',
    channel String COMMENT 'Channel of the message',
    message_ts String COMMENT 'Slack time stamp, which identifies the message in its channel',
    attempts UInt32 COMMENT 'Tries so far',
    detail String COMMENT 'Why it was skipped; empty where it was not',
    updated_at DateTime64(3, 'UTC') COMMENT 'When the standing last changed'
)
AS SELECT alert_id, sequence, notifier, action, status, channel, message_ts, attempts, detail, updated_at FROM alert_deliveries_log FINAL
COMMENT 'What was said where about each transition';

CREATE OR REPLACE VIEW alert_mutes
(
    rule_id LowCardinality(String) COMMENT 'Rule that is muted; * for all',
    until DateTime64(3, 'UTC') COMMENT 'End of the mute',
    muted_at DateTime64(3, 'UTC') COMMENT 'When it was muted'
)
AS SELECT rule_id, until, muted_at FROM alert_mutes_log FINAL
COMMENT 'Rules that are, or were, recorded and not told for a while';

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
