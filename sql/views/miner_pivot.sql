CREATE OR REPLACE VIEW miner_pivot
(
    company String COMMENT 'Listed mining company',
    period_start Nullable(Date32) COMMENT 'First day of the latest period that it reported, the longest of those that end together; NULL where it reported none',
    period_end Nullable(Date32) COMMENT 'Last day of that period',
    revenue_usd Nullable(Float64) COMMENT 'Revenue of the period over all segments; NULL where not known',
    ai_hpc_usd Nullable(Float64) COMMENT 'Revenue of AI and HPC; NULL where not known, which is not zero',
    ai_hpc_share Nullable(Float64) COMMENT 'The second over the first; NULL where not known',
    ai_hpc_megawatts Nullable(Float64) COMMENT 'Megawatts for AI and HPC by its source; NULL where not known',
    known Bool COMMENT 'False where no release speaks of its AI and HPC part',
    source String COMMENT 'Source of the figures; empty where not known',
    reason String COMMENT 'Why the company is listed'
)
AS SELECT e.owner AS company,
    if(o.segments = 0, NULL, o.first_day) AS period_start,
    if(o.segments = 0, NULL, o.last_day) AS period_end,
    if(o.segments = 0, NULL, o.revenue) AS revenue_usd,
    if(o.ai_segments = 0, NULL, o.ai) AS ai_hpc_usd,
    if(o.ai_segments = 0, NULL, o.ai / o.revenue) AS ai_hpc_share,
    if(o.megawatt_rows = 0, NULL, o.megawatts) AS ai_hpc_megawatts,
    toBool(o.ai_segments > 0 OR o.megawatt_rows > 0) AS known,
    o.source AS source,
    e.reason AS reason
FROM (SELECT owner, reason FROM series_entries WHERE series = 'miner-pivot' AND counts) AS e
LEFT JOIN
(
    SELECT owner, anyIf(r.period_start, NOT megawatt) AS first_day, anyIf(r.period_end, NOT megawatt) AS last_day,
        if(segments > 0, anyIf(r.source, NOT megawatt), any(r.source)) AS source,
        countIf(NOT megawatt) AS segments, sumIf(value, NOT megawatt) AS revenue,
        countIf(part = 'ai_hpc' AND NOT megawatt) AS ai_segments, sumIf(value, part = 'ai_hpc' AND NOT megawatt) AS ai,
        countIf(megawatt) AS megawatt_rows, sumIf(value, megawatt) AS megawatts
    FROM
    (
        SELECT owner, part, value, period_start, period_end, source, series = 'miner-pivot-megawatts' AS megawatt,
            max((period_end, -toInt32(period_start))) OVER (PARTITION BY series, owner) AS newest
        FROM observations
        WHERE series IN ('miner-pivot', 'miner-pivot-megawatts') AND is_current
    ) AS r
    WHERE (period_end, -toInt32(period_start)) = newest
    GROUP BY owner
) AS o ON e.owner = o.owner
COMMENT 'Miners that turn to AI and HPC: what each listed company last reported, and plainly not known where it did not';
