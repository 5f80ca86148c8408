CREATE TABLE IF NOT EXISTS alert_actions_log ON CLUSTER `desk`
(
    action_id String
    kind LowCardinality(String)
    target String
    matchers String
    until Nullable(DateTime64(3, 'UTC'))
    until_resolved Bool
    worse_than Nullable(Float64)
    author String
    reason String
    via LowCardinality(String)
    acted_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY action_id

CREATE TABLE IF NOT EXISTS alert_deliveries_log ON CLUSTER `desk`
(
    alert_id String
    sequence UInt32
    notifier LowCardinality(String)
    action LowCardinality(String)
    status Enum8('pending' = 0, 'sent' = 1, 'skipped' = 2)
    channel String
    message_ts String
    attempts UInt32
    detail String
    updated_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (alert_id, sequence, notifier, action)

CREATE TABLE IF NOT EXISTS alert_events_log ON CLUSTER `desk`
(
    alert_id String
    sequence UInt32
    rule_id LowCardinality(String)
    rule_hash String
    state LowCardinality(String)
    previous_state LowCardinality(String)
    reason LowCardinality(String)
    notify Bool
    undoes Array(UInt32)
    event_time DateTime64(3, 'UTC')
    recorded_at DateTime64(3, 'UTC')
    start_height Nullable(UInt32)
    value Nullable(Float64)
    value_low Nullable(Float64)
    value_high Nullable(Float64)
    interval_low Nullable(Float64)
    interval_high Nullable(Float64)
    threshold Nullable(Float64)
    summary String
    chain LowCardinality(String)
    view LowCardinality(String)
    window_blocks UInt16
    from_height Nullable(UInt32)
    height Nullable(UInt32)
    tip_hash String
    attribution_id LowCardinality(String)
    n UInt16
    unknown UInt16
    pools_seen UInt16
    counts Array(Tuple(pool String, blocks UInt16))
    reproduce_sql String
    evidence String
    version UInt64
    INDEX by_version version TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (alert_id, sequence)

CREATE TABLE IF NOT EXISTS alert_mutes_log ON CLUSTER `desk`
(
    rule_id LowCardinality(String)
    until DateTime64(3, 'UTC')
    author String
    reason String
    muted_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY rule_id

CREATE TABLE IF NOT EXISTS alert_receivers_log ON CLUSTER `desk`
(
    receiver LowCardinality(String)
    is_active Bool
    joined_version UInt64
    updated_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY receiver

CREATE TABLE IF NOT EXISTS alert_state_log ON CLUSTER `desk`
(
    rule_id LowCardinality(String)
    chain LowCardinality(String)
    height UInt32
    tip_hash String
    state String
    go_live_height Nullable(Int64)
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (chain, rule_id)

CREATE TABLE IF NOT EXISTS asymmetry_changes_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    list_id LowCardinality(String)
    chain LowCardinality(String)
    view LowCardinality(String)
    window_blocks UInt16
    knowledge Enum8('live' = 0, 'latest' = 1)
    kind Enum8('day' = 0, 'latest' = 1)
    slot Date
    inputs_id String
    treatment LowCardinality(String)
    component LowCardinality(String)
    name String
    doublings Float64
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, list_id, chain, view, window_blocks, knowledge, kind, slot, treatment, component, name)

CREATE TABLE IF NOT EXISTS asymmetry_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    list_id LowCardinality(String)
    chain LowCardinality(String)
    view LowCardinality(String)
    window_blocks UInt16
    knowledge Enum8('live' = 0, 'latest' = 1)
    kind Enum8('day' = 0, 'latest' = 1)
    slot Date
    day Date
    ai_layer LowCardinality(String)
    mining_layer LowCardinality(String)
    valid_at DateTime64(3, 'UTC')
    known_at DateTime64(3, 'UTC')
    hindsight Bool
    catalogue_id LowCardinality(String)
    release_id String
    period_end Date32
    published_at DateTime64(3, 'UTC')
    ai_age_days Float64
    bucket_owners UInt32
    attribution_id LowCardinality(String)
    tip_height UInt32
    tip_hash String
    known_blocks UInt16
    unknown_blocks UInt16
    mining_age_days Float64
    d2_mining Float64
    d2_mining_low Float64
    d2_mining_high Float64
    drift_sd Float64
    d2_ai_dropped Float64
    l_dropped Float64
    a_dropped Float64
    l_dropped_low_independent Float64
    l_dropped_high_independent Float64
    p_dropped_independent Float64
    l_dropped_low_correlated Float64
    l_dropped_high_correlated Float64
    p_dropped_correlated Float64
    trend_dropped Nullable(Float64)
    d2_ai_one_owner Float64
    l_one_owner Float64
    a_one_owner Float64
    l_one_owner_low_independent Float64
    l_one_owner_high_independent Float64
    p_one_owner_independent Float64
    l_one_owner_low_correlated Float64
    l_one_owner_high_correlated Float64
    p_one_owner_correlated Float64
    trend_one_owner Nullable(Float64)
    d2_ai_spread Float64
    l_spread Float64
    a_spread Float64
    l_spread_low_independent Float64
    l_spread_high_independent Float64
    p_spread_independent Float64
    l_spread_low_correlated Float64
    l_spread_high_correlated Float64
    p_spread_correlated Float64
    trend_spread Nullable(Float64)
    l_min Float64
    l_max Float64
    low_independent Float64
    high_independent Float64
    low_correlated Float64
    high_correlated Float64
    level LowCardinality(String)
    regime LowCardinality(String)
    gap LowCardinality(String)
    horizon_release_id String
    horizon_tip_height Nullable(UInt32)
    coverage_changed Bool
    trend_periods UInt16
    release_changed Bool
    mining_changed Bool
    inputs_id String
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (series, list_id, chain, view, window_blocks, knowledge, kind, slot)

CREATE TABLE IF NOT EXISTS attribution_pointer_log ON CLUSTER `desk`
(
    chain LowCardinality(String)
    attribution_id String
    flipped_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY chain

CREATE TABLE IF NOT EXISTS attribution_sets_log ON CLUSTER `desk`
(
    attribution_id String
    document String
    created_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY attribution_id

CREATE TABLE IF NOT EXISTS attributions_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    height UInt32
    hash FixedString(32)
    pool_code UInt16
    method Enum8('none' = 0, 'label' = 1, 'tag' = 2, 'address' = 3)
    matched String
    matched_offset Int32
    candidates Array(String)
    conflict Bool
    template_builder LowCardinality(String)
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (attribution_id, chain, height, hash)
SETTINGS index_granularity = 1024

CREATE TABLE IF NOT EXISTS blocks_log ON CLUSTER `desk`
(
    chain LowCardinality(String)
    height UInt32
    hash FixedString(32)
    prev_hash FixedString(32)
    time DateTime64(3, 'UTC')
    bits UInt32
    coinbase_script String
    payout_addresses Array(String)
    label String
    fees_sats Nullable(UInt64)
    transactions Nullable(UInt32)
    size_bytes Nullable(UInt32)
    weight Nullable(UInt32)
    match_ratio Nullable(Float64)
    similarity_ratio Nullable(Float64)
    expected_fees_sats Nullable(UInt64)
    expected_weight Nullable(UInt32)
    source LowCardinality(String)
    synthetic Bool
    status Enum8('parked' = 0, 'stale' = 1, 'canonical' = 2)
    seen_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (chain, height, hash)
SETTINGS index_granularity = 1024

CREATE TABLE IF NOT EXISTS concentration_daily_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    view Enum8('raw' = 0, 'entity' = 1)
    window_blocks UInt16
    metric LowCardinality(String)
    bucket UInt32
    day Date
    from_height UInt32
    to_height UInt32
    blocks UInt32
    first Float64
    last Float64
    lowest Float64
    highest Float64
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (attribution_id, chain, view, window_blocks, metric, bucket, day)
SETTINGS index_granularity = 1024

CREATE TABLE IF NOT EXISTS concentration_latest_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    view Enum8('raw' = 0, 'entity' = 1)
    window_blocks UInt16
    height UInt32
    tip_hash String
    time DateTime64(3, 'UTC')
    n UInt16
    unknown UInt16
    window_full Bool
    pools_seen UInt16
    leaders Array(Tuple(pool String, blocks UInt16))
    c1 UInt16
    c2 UInt16
    c3 UInt16
    c4 UInt16
    c5 UInt16
    c6 UInt16
    top1_share Float64
    top2_share Float64
    top3_share Float64
    top4_share Float64
    top5_share Float64
    top6_share Float64
    top1_share_upper Float64
    top2_share_upper Float64
    top3_share_upper Float64
    top4_share_upper Float64
    top5_share_upper Float64
    top6_share_upper Float64
    top1_share_low Float64
    top1_share_high Float64
    top4_share_low Float64
    top4_share_high Float64
    p_top4_above_75 Float64
    hhi Float64
    hhi_10000 Float64
    hhi_unbiased Float64
    hhi_low Float64
    hhi_high Float64
    hhi_upper Float64
    effective_pools_d2 Float64
    effective_pools_d2_low Float64
    effective_pools_d2_high Float64
    effective_pools_d1 Float64
    entropy_bits Float64
    entropy_nats Float64
    entropy_normalised Float64
    gini Float64
    theil_nats Float64
    nakamoto_one_third UInt16
    nakamoto_half UInt16
    nakamoto_one_third_low UInt16
    nakamoto_one_third_high UInt16
    nakamoto_half_low UInt16
    nakamoto_half_high UInt16
    confirmations_for_1_percent UInt16
    confirmations_for_0_1_percent UInt16
    confirmations_for_0_001_percent UInt16
    s2 UInt64
    s3 UInt64
    s4 UInt64
    gini_num Int64
    sum_c_ln_c Float64
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (attribution_id, chain, view, window_blocks)

CREATE TABLE IF NOT EXISTS concentration_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    view Enum8('raw' = 0, 'entity' = 1)
    window_blocks UInt16
    height UInt32
    tip_hash FixedString(32)
    time DateTime64(3, 'UTC')
    n UInt16
    unknown UInt16
    window_full Bool
    pools_seen UInt16
    c1 UInt16
    c2 UInt16
    c3 UInt16
    c4 UInt16
    c5 UInt16
    c6 UInt16
    l1 UInt16
    l2 UInt16
    l3 UInt16
    l4 UInt16
    l5 UInt16
    l6 UInt16
    s2 UInt64
    s3 UInt64
    s4 UInt64
    gini_num Int64
    sum_c_ln_c Float64
    nakamoto_one_third UInt16
    nakamoto_half UInt16
    top1_lo Float64
    top1_hi Float64
    top4_lo Float64
    top4_hi Float64
    p_top4_above_75 Float64
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (attribution_id, chain, view, window_blocks, height)
SETTINGS index_granularity = 1024

CREATE TABLE IF NOT EXISTS datasets_log ON CLUSTER `desk`
(
    name String
    kind LowCardinality(String)
    created_at DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}')
ORDER BY (name, kind)

CREATE TABLE IF NOT EXISTS dead_letters_log ON CLUSTER `desk`
(
    letter_id String
    service LowCardinality(String)
    reason LowCardinality(String)
    detail String
    topic LowCardinality(String)
    partition Int32
    offset Int64
    event_index Int32
    key String
    payload String
    payload_bytes UInt64
    payload_sha256 String
    seen_at DateTime64(3, 'UTC')
    replayed_at Nullable(DateTime64(3, 'UTC'))
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY letter_id

CREATE TABLE IF NOT EXISTS detectors_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    height UInt32
    tip_hash FixedString(32)
    time DateTime64(3, 'UTC')
    firing UInt32
    evidence Array(Float32)
    state Array(Float64)
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (attribution_id, chain, height)
SETTINGS index_granularity = 1024

CREATE TABLE IF NOT EXISTS dispersion_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    list_id LowCardinality(String)
    catalogue_id LowCardinality(String)
    release_id String
    layer LowCardinality(String)
    unit LowCardinality(String)
    period_start Date32
    period_end Date32
    published_at DateTime64(3, 'UTC')
    treatment Enum8('dropped' = 0, 'one_owner' = 1, 'spread' = 2)
    bucket_owners UInt32
    owners UInt32
    buckets UInt32
    missing UInt32
    outside UInt32
    imputed UInt32
    total Float64
    residual_share Float64
    d2 Float64
    d1 Float64
    hhi Float64
    top1 Float64
    top2 Float64
    top3 Float64
    top4 Float64
    d2_low_independent Nullable(Float64)
    d2_high_independent Nullable(Float64)
    d2_low_correlated Nullable(Float64)
    d2_high_correlated Nullable(Float64)
    d1_low_independent Nullable(Float64)
    d1_high_independent Nullable(Float64)
    d1_low_correlated Nullable(Float64)
    d1_high_correlated Nullable(Float64)
    hhi_low_independent Nullable(Float64)
    hhi_high_independent Nullable(Float64)
    hhi_low_correlated Nullable(Float64)
    hhi_high_correlated Nullable(Float64)
    top4_low_independent Nullable(Float64)
    top4_high_independent Nullable(Float64)
    top4_low_correlated Nullable(Float64)
    top4_high_correlated Nullable(Float64)
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, list_id, catalogue_id, period_end, release_id, treatment)

CREATE TABLE IF NOT EXISTS drift_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    view Enum8('raw' = 0, 'entity' = 1)
    family LowCardinality(String)
    height UInt32
    tip_hash FixedString(32)
    from_height UInt32
    pairs UInt16
    drift Float64
    change Float64
    chance Float64
    leaders Array(UInt16)
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (attribution_id, chain, view, family, height)

CREATE TABLE IF NOT EXISTS epochs_log ON CLUSTER `desk`
(
    role LowCardinality(String)
    epoch UInt32
    token String
    claimed_at DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}')
ORDER BY (role, epoch, token)

CREATE TABLE IF NOT EXISTS growth_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    list_id LowCardinality(String)
    period_start Date32
    period_end Date32
    span LowCardinality(String)
    release_id String
    base_release_id String
    base_period_end Date32
    total_ratio Float64
    like_for_like_ratio Nullable(Float64)
    compared_share Float64
    parts_added Array(String)
    parts_dropped Array(String)
    method_changed Bool
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (series, list_id, period_end, period_start, span)

CREATE TABLE IF NOT EXISTS migrations_log ON CLUSTER `desk`
(
    number UInt32
    name String
    sha256 String
    applied_at DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}')
ORDER BY (number, sha256)

CREATE TABLE IF NOT EXISTS placement_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    list_id LowCardinality(String)
    catalogue_id LowCardinality(String)
    release_id String
    layer LowCardinality(String)
    unit LowCardinality(String)
    period_start Date32
    period_end Date32
    published_at DateTime64(3, 'UTC')
    device Float64
    edge Float64
    on_premises Float64
    regional_cloud Float64
    hyperscale Float64
    unknown Float64
    missing Array(String)
    outside Array(String)
    cutoff Nullable(Float64)
    edge_share Nullable(Float64)
    edge_share_lower Nullable(Float64)
    edge_share_upper Nullable(Float64)
    edge_share_low_independent Nullable(Float64)
    edge_share_high_independent Nullable(Float64)
    edge_share_low_correlated Nullable(Float64)
    edge_share_high_correlated Nullable(Float64)
    items UInt32
    providers_mean Nullable(Float64)
    providers_median Nullable(Float64)
    single_provider_share Nullable(Float64)
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, list_id, catalogue_id, period_end, release_id)

CREATE TABLE IF NOT EXISTS pool_names_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    view Enum8('raw' = 0, 'entity' = 1)
    code UInt16
    slug String
    name String
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (attribution_id, view, code)

CREATE TABLE IF NOT EXISTS release_chunks_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    release_id String
    withdrawn Bool
    chunk UInt16
    chunks UInt16
    content_id String
    observations UInt32
    event String
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, release_id, withdrawn, chunk, content_id)

CREATE TABLE IF NOT EXISTS release_current_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    kind LowCardinality(String)
    period_start Date32
    period_end Date32
    release_id String
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (series, kind, period_start, period_end)

CREATE TABLE IF NOT EXISTS release_observations_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    release_id String
    owner String
    venue LowCardinality(String)
    part LowCardinality(String)
    item String
    value Float64
    value_p5 Nullable(Float64)
    value_p95 Nullable(Float64)
    residual Bool
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, release_id, owner, venue, part, item)

CREATE TABLE IF NOT EXISTS releases_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    release_id String
    values_id String
    kind LowCardinality(String)
    layer LowCardinality(String)
    unit LowCardinality(String)
    period_start Date32
    period_end Date32
    published_at DateTime64(3, 'UTC')
    source String
    licence String
    coverage LowCardinality(String)
    coverage_note String
    method String
    cutoff Nullable(Float64)
    parts Array(String)
    observations UInt32
    total Float64
    withdrawn_at Nullable(DateTime64(3, 'UTC'))
    catalogue_id LowCardinality(String)
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, period_end, period_start, release_id)

CREATE TABLE IF NOT EXISTS scoring_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    format String
    to_height UInt32
    whole Bool
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (attribution_id, chain)

CREATE TABLE IF NOT EXISTS series_entries_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    catalogue_id LowCardinality(String)
    list_id LowCardinality(String)
    owner String
    counts Bool
    venue LowCardinality(String)
    reason String
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, catalogue_id, list_id, owner)

CREATE TABLE IF NOT EXISTS series_log ON CLUSTER `desk`
(
    series LowCardinality(String)
    catalogue_id LowCardinality(String)
    title String
    measures String
    owner_means String
    layer LowCardinality(String)
    kind LowCardinality(String)
    unit LowCardinality(String)
    cadence_days UInt16
    lag_days UInt16
    source String
    licence String
    pairs_with_mining Bool
    document String
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY (series, catalogue_id)

CREATE TABLE IF NOT EXISTS services_log ON CLUSTER `desk`
(
    service LowCardinality(String)
    instance String
    host String
    folder String
    pid UInt32
    software_version LowCardinality(String)
    state LowCardinality(String)
    waiting_on LowCardinality(String)
    wait_reason String
    waiting_since Nullable(DateTime64(3, 'UTC'))
    heights Map(String, UInt32)
    last_progress_at Nullable(DateTime64(3, 'UTC'))
    started_at DateTime64(3, 'UTC')
    written_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}')
ORDER BY (service, instance)
TTL toDateTime(written_at) + INTERVAL 7 DAY

CREATE TABLE IF NOT EXISTS share_forecasts_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    view Enum8('raw' = 0, 'entity' = 1)
    height UInt32
    tip_hash FixedString(32)
    time DateTime64(3, 'UTC')
    leaders Array(UInt16)
    drift Float64
    share Float64
    low Float64
    high Float64
    above_75 Float64
    outcome Float64
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (attribution_id, chain, view, height)

CREATE TABLE IF NOT EXISTS time_windows_log ON CLUSTER `desk`
(
    attribution_id LowCardinality(String)
    chain LowCardinality(String)
    view Enum8('raw' = 0, 'entity' = 1)
    span_days UInt16
    height UInt32
    tip_hash FixedString(32)
    time DateTime64(3, 'UTC')
    from_height UInt32
    n UInt32
    unknown UInt32
    window_full Bool
    pools_seen UInt16
    c1 UInt32
    c2 UInt32
    c3 UInt32
    c4 UInt32
    c5 UInt32
    c6 UInt32
    l1 UInt16
    l2 UInt16
    l3 UInt16
    l4 UInt16
    l5 UInt16
    l6 UInt16
    s2 UInt64
    nakamoto_one_third UInt16
    nakamoto_half UInt16
    work1 Float64
    work2 Float64
    work3 Float64
    work4 Float64
    work5 Float64
    work6 Float64
    version UInt64
    is_deleted UInt8
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version, is_deleted)
ORDER BY (attribution_id, chain, view, span_days, height)

CREATE TABLE IF NOT EXISTS views_log ON CLUSTER `desk`
(
    name String
    sha256 String
    created_at DateTime64(3, 'UTC')
    version UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/counterpoise/{database}/{table}', '{shard}-{replica}', version)
ORDER BY name

CREATE OR REPLACE VIEW alert_actions ON CLUSTER `desk`

CREATE OR REPLACE VIEW alert_deliveries ON CLUSTER `desk`

CREATE OR REPLACE VIEW alert_events ON CLUSTER `desk`

CREATE OR REPLACE VIEW alert_mutes ON CLUSTER `desk`

CREATE OR REPLACE VIEW alerts ON CLUSTER `desk`

CREATE OR REPLACE VIEW asymmetry ON CLUSTER `desk`

CREATE OR REPLACE VIEW asymmetry_changes ON CLUSTER `desk`

CREATE OR REPLACE VIEW attribution_sets ON CLUSTER `desk`

CREATE OR REPLACE VIEW attributions ON CLUSTER `desk`

CREATE OR REPLACE VIEW attributions_of ON CLUSTER `desk`

CREATE OR REPLACE VIEW blocks ON CLUSTER `desk`

CREATE OR REPLACE VIEW blocks_all ON CLUSTER `desk`

CREATE OR REPLACE VIEW blocks_canonical_log ON CLUSTER `desk`

CREATE OR REPLACE VIEW chain_tips_log ON CLUSTER `desk`

CREATE OR REPLACE VIEW concentration ON CLUSTER `desk`

CREATE OR REPLACE VIEW concentration_daily ON CLUSTER `desk`

CREATE OR REPLACE VIEW concentration_dispersion ON CLUSTER `desk`

CREATE OR REPLACE VIEW concentration_of ON CLUSTER `desk`

CREATE OR REPLACE VIEW concentration_risk ON CLUSTER `desk`

CREATE OR REPLACE VIEW concentration_shares ON CLUSTER `desk`

CREATE OR REPLACE VIEW datasets ON CLUSTER `desk`

CREATE OR REPLACE VIEW dead_letters ON CLUSTER `desk`

CREATE OR REPLACE VIEW detector_changes ON CLUSTER `desk`

CREATE OR REPLACE VIEW detector_changes_before ON CLUSTER `desk`

CREATE OR REPLACE VIEW detectors ON CLUSTER `desk`

CREATE OR REPLACE VIEW dispersion ON CLUSTER `desk`

CREATE OR REPLACE VIEW dispersion_all ON CLUSTER `desk`

CREATE OR REPLACE VIEW drift ON CLUSTER `desk`

CREATE OR REPLACE VIEW edge_share ON CLUSTER `desk`

CREATE OR REPLACE VIEW forecasts ON CLUSTER `desk`

CREATE OR REPLACE VIEW growth ON CLUSTER `desk`

CREATE OR REPLACE VIEW incomplete_releases ON CLUSTER `desk`

CREATE OR REPLACE VIEW latest_asymmetry ON CLUSTER `desk`

CREATE OR REPLACE VIEW latest_blocks ON CLUSTER `desk`

CREATE OR REPLACE VIEW latest_concentration ON CLUSTER `desk`

CREATE OR REPLACE VIEW latest_dispersion ON CLUSTER `desk`

CREATE OR REPLACE VIEW latest_risk ON CLUSTER `desk`

CREATE OR REPLACE VIEW latest_shares ON CLUSTER `desk`

CREATE OR REPLACE VIEW miner_pivot ON CLUSTER `desk`

CREATE OR REPLACE VIEW observations ON CLUSTER `desk`

CREATE OR REPLACE VIEW placement ON CLUSTER `desk`

CREATE OR REPLACE VIEW pool_keys_log ON CLUSTER `desk`

CREATE OR REPLACE VIEW pool_names ON CLUSTER `desk`

CREATE OR REPLACE VIEW releases ON CLUSTER `desk`

CREATE OR REPLACE VIEW releases_all ON CLUSTER `desk`

CREATE OR REPLACE VIEW scored_heights_log ON CLUSTER `desk`

CREATE OR REPLACE VIEW series ON CLUSTER `desk`

CREATE OR REPLACE VIEW series_entries ON CLUSTER `desk`

CREATE OR REPLACE VIEW series_freshness ON CLUSTER `desk`

CREATE OR REPLACE VIEW services ON CLUSTER `desk`

CREATE OR REPLACE VIEW share_forecasts ON CLUSTER `desk`

CREATE OR REPLACE VIEW share_history ON CLUSTER `desk`

CREATE OR REPLACE VIEW substitutability ON CLUSTER `desk`

CREATE OR REPLACE VIEW time_windows ON CLUSTER `desk`

CREATE OR REPLACE VIEW top_pools ON CLUSTER `desk`
