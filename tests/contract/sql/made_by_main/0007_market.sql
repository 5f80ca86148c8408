-- What arrived about the AI side, as it came: the state of the fold, which applies all of it again after a restart.
-- ORDER BY: a series is loaded whole; a chunk whose content differs from another of its place is a row of its own, because only the hash
-- of the whole release can say which one belongs to it.
CREATE TABLE IF NOT EXISTS release_chunks_log
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'SHA-256 of the content of the release, hexadecimal',
    withdrawn Bool COMMENT 'True for the withdrawal of the release',
    chunk UInt16 COMMENT 'Place of the chunk, from 0',
    chunks UInt16 COMMENT 'Chunks of the release',
    content_id String COMMENT 'SHA-256 of the event, hexadecimal',
    observations UInt32 COMMENT 'Observations in the chunk',
    event String COMMENT 'The event as JSON; fields that hold their default are left out' CODEC(ZSTD(3)),
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, release_id, withdrawn, chunk, content_id)
COMMENT 'Chunks and withdrawals of releases as they arrived. Read the views releases_all and incomplete_releases';

-- ORDER BY: the releases of a series by period; each release is its own key, so all of them stay.
CREATE TABLE IF NOT EXISTS releases_log
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'SHA-256 of the content of the release, hexadecimal',
    values_id String COMMENT 'The same without the time of publication: equal where a source published the same again',
    kind LowCardinality(String) COMMENT 'measured or forecast; nothing that scores reads a forecast',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    source String COMMENT 'Where the values come from',
    licence String COMMENT 'Licence of the source',
    coverage LowCardinality(String) COMMENT 'full, or partial where the period is not all here: shown and never scored',
    coverage_note String COMMENT 'What is missing of a partial release',
    method String COMMENT 'What the source counted with, in its words',
    cutoff Nullable(Float64) COMMENT 'The source lists nothing below this value; NULL where it lists everything',
    parts Array(String) COMMENT 'Parts of the source that the release draws on',
    observations UInt32 COMMENT 'Observations in the release',
    total Float64 COMMENT 'Sum of all values, residual buckets and what no list counts included',
    withdrawn_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was taken back; NULL where it stands',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the rows derived from it rest on',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, period_end, period_start, release_id)
COMMENT 'Every complete release. Read the views releases and releases_all';

-- ORDER BY: the observations of one release lie together.
CREATE TABLE IF NOT EXISTS release_observations_log
(
    series LowCardinality(String) COMMENT 'Series',
    release_id String COMMENT 'Release',
    owner String COMMENT 'Whose part it is',
    venue LowCardinality(String) COMMENT 'Where it runs, as the source says: device, edge, on_premises, regional_cloud, hyperscale or unknown',
    part LowCardinality(String) COMMENT 'Part of the source; values of one owner add up over parts',
    item String COMMENT 'What is held or offered',
    value Float64 COMMENT 'Value in the unit of the release',
    value_p5 Nullable(Float64) COMMENT '5th percentile, where the source has one',
    value_p95 Nullable(Float64) COMMENT '95th percentile, where the source has one',
    residual Bool COMMENT 'True for a bucket that is no single owner',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, release_id, owner, venue, part, item)
COMMENT 'The values of every complete release. Read the view observations';

-- ORDER BY: one pointer a period. is_deleted: every release of the period was withdrawn.
CREATE TABLE IF NOT EXISTS release_current_log
(
    series LowCardinality(String) COMMENT 'Series',
    kind LowCardinality(String) COMMENT 'measured or forecast',
    period_start Date32 COMMENT 'First day of the period',
    period_end Date32 COMMENT 'Last day of the period',
    release_id String COMMENT 'The release that stands for the period: the last published of full coverage that was not withdrawn',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where none stands any more'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (series, kind, period_start, period_end)
COMMENT 'Which release stands for a period; internal. Read the view releases';

-- ORDER BY: a question names series and list and asks for a range of periods. The entry of the catalogue is in the key, so that the rows of
-- an older reading stay beside those of the current one.
CREATE TABLE IF NOT EXISTS dispersion_log
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    treatment Enum8('dropped' = 0, 'one_owner' = 1, 'spread' = 2) COMMENT 'What a residual bucket is: left out, one owner, or bucket_owners equal owners',
    bucket_owners UInt32 COMMENT 'Into how many owners each bucket is cut',
    owners UInt32 COMMENT 'Named owners above zero',
    buckets UInt32 COMMENT 'Residual buckets above zero',
    missing UInt32 COMMENT 'Owners of the list that the release lacks: not known, never zero',
    outside UInt32 COMMENT 'Owners of the release that the list does not know',
    imputed UInt32 COMMENT 'Observations without an error of their own, which got that of the others',
    total Float64 COMMENT 'The denominator: what is treated as there',
    residual_share Float64 COMMENT 'Share of the buckets of all, whatever the treatment',
    d2 Float64 COMMENT 'Effective number of owners of order 2',
    d1 Float64 COMMENT 'Effective number of owners of order 1',
    hhi Float64 COMMENT 'Herfindahl-Hirschman index, 0 to 1',
    top1 Float64 COMMENT 'Share of the largest named owner in total; a bucket is never ranked',
    top2 Float64 COMMENT 'Share of the 2 largest named owners in total',
    top3 Float64 COMMENT 'Share of the 3 largest named owners in total',
    top4 Float64 COMMENT 'Share of the 4 largest named owners in total',
    d2_low_independent Nullable(Float64) COMMENT '2.5 % quantile of d2, errors of the source independent; NULL where the series states no uncertainty',
    d2_high_independent Nullable(Float64) COMMENT '97.5 % quantile of d2, errors of the source independent',
    d2_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of d2, errors of the source correlated; NULL where the series states no uncertainty',
    d2_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of d2, errors of the source correlated',
    d1_low_independent Nullable(Float64) COMMENT '2.5 % quantile of d1, errors of the source independent; NULL where the series states no uncertainty',
    d1_high_independent Nullable(Float64) COMMENT '97.5 % quantile of d1, errors of the source independent',
    d1_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of d1, errors of the source correlated; NULL where the series states no uncertainty',
    d1_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of d1, errors of the source correlated',
    hhi_low_independent Nullable(Float64) COMMENT '2.5 % quantile of hhi, errors of the source independent; NULL where the series states no uncertainty',
    hhi_high_independent Nullable(Float64) COMMENT '97.5 % quantile of hhi, errors of the source independent',
    hhi_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of hhi, errors of the source correlated; NULL where the series states no uncertainty',
    hhi_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of hhi, errors of the source correlated',
    top4_low_independent Nullable(Float64) COMMENT '2.5 % quantile of top4, errors of the source independent; NULL where the series states no uncertainty',
    top4_high_independent Nullable(Float64) COMMENT '97.5 % quantile of top4, errors of the source independent',
    top4_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of top4, errors of the source correlated; NULL where the series states no uncertainty',
    top4_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of top4, errors of the source correlated',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, list_id, catalogue_id, period_end, release_id, treatment)
COMMENT 'Dispersion over owners of every release, by include-list and residual treatment. Read the view dispersion';

-- ORDER BY: as dispersion_log.
CREATE TABLE IF NOT EXISTS placement_log
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release',
    layer LowCardinality(String) COMMENT 'What the values are a layer of: ownership, serving, developer_pull, device_capacity, market_size or miner_pivot',
    unit LowCardinality(String) COMMENT 'Unit of the values',
    period_start Date32 COMMENT 'First day that the values speak of',
    period_end Date32 COMMENT 'Last day that the values speak of; a stock is that of this day',
    published_at DateTime64(3, 'UTC') COMMENT 'When the source published the release; not when it was fetched',
    device Float64 COMMENT 'Total on devices',
    edge Float64 COMMENT 'Total at the edge',
    on_premises Float64 COMMENT 'Total on premises',
    regional_cloud Float64 COMMENT 'Total at regional and specialised clouds',
    hyperscale Float64 COMMENT 'Total at hyperscale clouds',
    unknown Float64 COMMENT 'Total without a known venue',
    missing Array(String) COMMENT 'Owners of the list that the release lacks: not known, never zero',
    outside Array(String) COMMENT 'Owners of the release that the list does not know',
    cutoff Nullable(Float64) COMMENT 'A missing owner has less than this; NULL where the source has no cutoff',
    edge_share Nullable(Float64) COMMENT 'Device and edge, of what has a known venue; NULL where nothing has',
    edge_share_lower Nullable(Float64) COMMENT 'The same with every unknown venue, and every missing owner at the cutoff, against the edge',
    edge_share_upper Nullable(Float64) COMMENT 'The same with them for the edge',
    edge_share_low_independent Nullable(Float64) COMMENT '2.5 % quantile of edge_share, errors of the source independent; NULL where the series states no uncertainty',
    edge_share_high_independent Nullable(Float64) COMMENT '97.5 % quantile of edge_share, errors of the source independent',
    edge_share_low_correlated Nullable(Float64) COMMENT '2.5 % quantile of edge_share, errors of the source correlated',
    edge_share_high_correlated Nullable(Float64) COMMENT '97.5 % quantile of edge_share, errors of the source correlated',
    items UInt32 COMMENT 'Different things offered; 0 for layers other than serving',
    providers_mean Nullable(Float64) COMMENT 'Providers of an item, mean over the items',
    providers_median Nullable(Float64) COMMENT 'Providers of an item, median over the items',
    single_provider_share Nullable(Float64) COMMENT 'Share of the items with one provider only',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, list_id, catalogue_id, period_end, release_id)
COMMENT 'Where the values of every release run, and how replaceable providers are. Read the views placement and edge_share';

-- ORDER BY: one row a period and span, by list. is_deleted: there is nothing to compare with any more.
CREATE TABLE IF NOT EXISTS growth_log
(
    series LowCardinality(String) COMMENT 'Series',
    list_id LowCardinality(String) COMMENT 'Include-list of the catalogue',
    period_start Date32 COMMENT 'First day of the period',
    period_end Date32 COMMENT 'Last day of the period',
    span LowCardinality(String) COMMENT 'period: against the period before; year: against the same day a year before',
    release_id String COMMENT 'Release',
    base_release_id String COMMENT 'Release that it is compared with',
    base_period_end Date32 COMMENT 'Last day of the period of that release',
    total_ratio Float64 COMMENT 'Total now over total then; grows with coverage too',
    like_for_like_ratio Nullable(Float64) COMMENT 'The same over what both releases hold; NULL where they share nothing above zero',
    compared_share Float64 COMMENT 'Share of the total now that is compared like for like',
    parts_added Array(String) COMMENT 'Parts of the source that only the newer release draws on',
    parts_dropped Array(String) COMMENT 'Parts of the source that only the older release draws on',
    method_changed Bool COMMENT 'True where the two were counted differently',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where the comparison no longer exists'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (series, list_id, period_end, period_start, span)
COMMENT 'Growth of a series between current releases. Read the view growth';

-- ORDER BY: a question names a pair and a kind of knowledge and asks for a range of days.
CREATE TABLE IF NOT EXISTS asymmetry_log
(
    series LowCardinality(String) COMMENT 'Market series of the pair',
    list_id LowCardinality(String) COMMENT 'Include-list that the series is read by',
    chain LowCardinality(String) COMMENT 'Chain of the mining side',
    view LowCardinality(String) COMMENT 'View of the mining side: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the mining side in blocks',
    knowledge Enum8('live' = 0, 'latest' = 1) COMMENT 'live: only what was published by the end of the day; latest: all that is known now, perhaps hindsight',
    kind Enum8('day' = 0, 'latest' = 1) COMMENT 'day: at the end of a UTC day; latest: at the tip',
    slot Date COMMENT 'The day of a day row; 1970-01-01 for the one latest row',
    day Date COMMENT 'UTC day that the row speaks of',
    ai_layer LowCardinality(String) COMMENT 'Layer of the AI side: who owns, who serves, …',
    mining_layer LowCardinality(String) COMMENT 'Layer of the mining side: operation (pools); not the same as ownership',
    valid_at DateTime64(3, 'UTC') COMMENT 'Moment that the row speaks of',
    known_at DateTime64(3, 'UTC') COMMENT 'When the last of its inputs became known',
    hindsight Bool COMMENT 'True where an input became known only after the end of the day',
    catalogue_id LowCardinality(String) COMMENT 'Entry of the catalogue that the row rests on',
    release_id String COMMENT 'Release of the AI side',
    period_end Date32 COMMENT 'End of its period',
    published_at DateTime64(3, 'UTC') COMMENT 'Its publication',
    ai_age_days Float64 COMMENT 'Days from the end of its period to valid_at',
    bucket_owners UInt32 COMMENT 'Into how many owners a bucket is cut under the treatment spread',
    attribution_id LowCardinality(String) COMMENT 'Attribution set of the mining side',
    tip_height UInt32 COMMENT 'Height of the last block of the window',
    tip_hash String COMMENT 'Hash of that block, hexadecimal',
    known_blocks UInt16 COMMENT 'Attributed blocks of the window',
    unknown_blocks UInt16 COMMENT 'Unattributed blocks of the window, left out',
    mining_age_days Float64 COMMENT 'Days from that block to valid_at',
    d2_mining Float64 COMMENT 'Effective number of pools or entities of order 2',
    d2_mining_low Float64 COMMENT '2.5 % quantile of d2_mining',
    d2_mining_high Float64 COMMENT '97.5 % quantile of d2_mining',
    drift_sd Float64 COMMENT 'Standard deviation, in doublings, that the ages of both sides add to the intervals',
    d2_ai_dropped Float64 COMMENT 'Effective number of owners on the AI side, residual buckets left out',
    l_dropped Float64 COMMENT 'L in doublings, residual buckets left out: log2 of d2_ai_dropped over d2_mining',
    a_dropped Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_dropped_low_independent Float64 COMMENT '2.5 % quantile of L, residual buckets left out, errors of the source independent',
    l_dropped_high_independent Float64 COMMENT '97.5 % quantile of L, residual buckets left out, errors of the source independent',
    p_dropped_independent Float64 COMMENT 'Probability that L is above 0, residual buckets left out, errors of the source independent',
    l_dropped_low_correlated Float64 COMMENT '2.5 % quantile of L, residual buckets left out, errors of the source correlated',
    l_dropped_high_correlated Float64 COMMENT '97.5 % quantile of L, residual buckets left out, errors of the source correlated',
    p_dropped_correlated Float64 COMMENT 'Probability that L is above 0, residual buckets left out, errors of the source correlated',
    trend_dropped Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, residual buckets left out; NULL below five periods',
    d2_ai_one_owner Float64 COMMENT 'Effective number of owners on the AI side, each bucket one owner',
    l_one_owner Float64 COMMENT 'L in doublings, each bucket one owner: log2 of d2_ai_one_owner over d2_mining',
    a_one_owner Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_one_owner_low_independent Float64 COMMENT '2.5 % quantile of L, each bucket one owner, errors of the source independent',
    l_one_owner_high_independent Float64 COMMENT '97.5 % quantile of L, each bucket one owner, errors of the source independent',
    p_one_owner_independent Float64 COMMENT 'Probability that L is above 0, each bucket one owner, errors of the source independent',
    l_one_owner_low_correlated Float64 COMMENT '2.5 % quantile of L, each bucket one owner, errors of the source correlated',
    l_one_owner_high_correlated Float64 COMMENT '97.5 % quantile of L, each bucket one owner, errors of the source correlated',
    p_one_owner_correlated Float64 COMMENT 'Probability that L is above 0, each bucket one owner, errors of the source correlated',
    trend_one_owner Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, each bucket one owner; NULL below five periods',
    d2_ai_spread Float64 COMMENT 'Effective number of owners on the AI side, each bucket cut into bucket_owners equal owners',
    l_spread Float64 COMMENT 'L in doublings, each bucket cut into bucket_owners equal owners: log2 of d2_ai_spread over d2_mining',
    a_spread Float64 COMMENT 'A of the same: L bent into -1 to 1, for display',
    l_spread_low_independent Float64 COMMENT '2.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source independent',
    l_spread_high_independent Float64 COMMENT '97.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source independent',
    p_spread_independent Float64 COMMENT 'Probability that L is above 0, each bucket cut into bucket_owners equal owners, errors of the source independent',
    l_spread_low_correlated Float64 COMMENT '2.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    l_spread_high_correlated Float64 COMMENT '97.5 % quantile of L, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    p_spread_correlated Float64 COMMENT 'Probability that L is above 0, each bucket cut into bucket_owners equal owners, errors of the source correlated',
    trend_spread Nullable(Float64) COMMENT 'Trend of L in doublings a year over the periods of two years, each bucket cut into bucket_owners equal owners; NULL below five periods',
    l_min Float64 COMMENT 'Smallest L of the three treatments',
    l_max Float64 COMMENT 'Largest L of the three treatments',
    low_independent Float64 COMMENT 'Lowest 2.5 % quantile of the three treatments, errors independent',
    high_independent Float64 COMMENT 'Highest 97.5 % quantile of the three treatments, errors independent',
    low_correlated Float64 COMMENT 'Lowest 2.5 % quantile of the three treatments, errors correlated',
    high_correlated Float64 COMMENT 'Highest 97.5 % quantile of the three treatments, errors correlated',
    level LowCardinality(String) COMMENT 'ai_more_dispersed, mining_more_dispersed, or no_call unless all treatments and both error models agree at 95 %',
    regime LowCardinality(String) COMMENT 'Over a year: diverging, converging, both_concentrating, both_dispersing or no_call',
    gap LowCardinality(String) COMMENT 'Over a year: opening, closing or no_call',
    horizon_release_id String COMMENT 'Release of a year before; empty where there is none',
    horizon_tip_height Nullable(UInt32) COMMENT 'Last height of the window of a year before; NULL where there is none',
    coverage_changed Bool COMMENT 'True where the two releases draw on different parts of the source; the regime then compares what they share',
    trend_periods UInt16 COMMENT 'Periods behind the trends',
    release_changed Bool COMMENT 'True where the AI side is another release than the day before',
    mining_changed Bool COMMENT 'True where the mining side is another window than the day before',
    inputs_id String COMMENT 'Hash of all inputs: rows of equal id are equal',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins',
    is_deleted UInt8 COMMENT '1 where a side is no longer there'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (series, list_id, chain, view, window_blocks, knowledge, kind, slot)
COMMENT 'The asymmetry score of every pair, at the end of each UTC day and at the tip. Read the views asymmetry and latest_asymmetry';

-- ORDER BY: as asymmetry_log, then by part. A part counts while its inputs are those of its row.
CREATE TABLE IF NOT EXISTS asymmetry_parts_log
(
    series LowCardinality(String) COMMENT 'Market series of the pair',
    list_id LowCardinality(String) COMMENT 'Include-list that the series is read by',
    chain LowCardinality(String) COMMENT 'Chain of the mining side',
    view LowCardinality(String) COMMENT 'View of the mining side: raw or entity',
    window_blocks UInt16 COMMENT 'Window of the mining side in blocks',
    knowledge Enum8('live' = 0, 'latest' = 1) COMMENT 'live: only what was published by the end of the day; latest: all that is known now, perhaps hindsight',
    kind Enum8('day' = 0, 'latest' = 1) COMMENT 'day: at the end of a UTC day; latest: at the tip',
    slot Date COMMENT 'The day of a day row; 1970-01-01 for the one latest row',
    inputs_id String COMMENT 'Inputs of the row that the part belongs to',
    treatment LowCardinality(String) COMMENT 'Residual treatment',
    component LowCardinality(String) COMMENT 'ai_owner, coverage, method, revision, mining_pool or mining_attribution',
    name String COMMENT 'Owner, pool or part of the source',
    doublings Float64 COMMENT 'What it adds to the change of L over the year',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, list_id, chain, view, window_blocks, knowledge, kind, slot, inputs_id, treatment, component, name)
COMMENT 'What the change of L over a year is made of. Read the view asymmetry_changes';

-- ORDER BY: entries are looked up by series; each reading is a row of its own, the newest version is current.
CREATE TABLE IF NOT EXISTS series_log
(
    series LowCardinality(String) COMMENT 'Series',
    catalogue_id LowCardinality(String) COMMENT 'Hash of the entry',
    title String COMMENT 'Title',
    measures String COMMENT 'What it measures',
    owner_means String COMMENT 'What an owner is',
    layer LowCardinality(String) COMMENT 'Layer',
    kind LowCardinality(String) COMMENT 'measured or forecast',
    unit LowCardinality(String) COMMENT 'Unit',
    cadence_days UInt16 COMMENT 'How often the source publishes',
    lag_days UInt16 COMMENT 'How long after the end of a period it usually does',
    source String COMMENT 'Source',
    licence String COMMENT 'Licence',
    pairs_with_mining Bool COMMENT 'Whether it is a side of the asymmetry score',
    document String COMMENT 'The whole entry as JSON',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, catalogue_id)
COMMENT 'The catalogue of series that rows rest on. Read the view series';

-- ORDER BY: as series_log, then by list and owner.
CREATE TABLE IF NOT EXISTS series_entries_log
(
    series LowCardinality(String) COMMENT 'Series',
    catalogue_id LowCardinality(String) COMMENT 'Hash of the entry of the catalogue',
    list_id LowCardinality(String) COMMENT 'Include-list',
    owner String COMMENT 'Owner',
    counts Bool COMMENT 'Whether it counts',
    venue LowCardinality(String) COMMENT 'Where it runs by the list; empty where the list leaves that to the source',
    reason String COMMENT 'Why it counts, or does not',
    version UInt64 COMMENT 'Epoch of the writer (high 24 bits) and its sequence (low 40 bits); the highest wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (series, catalogue_id, list_id, owner)
COMMENT 'Who counts in each include-list, and why. Read the view series_entries';
