-- Comments in the words of today's files.
ALTER TABLE alert_deliveries_log
    MODIFY COMMENT 'Outbox: what was to be sent where, and what was accepted. Read the view alert_deliveries';
ALTER TABLE alert_events_log
    COMMENT COLUMN IF EXISTS notify 'False for what is recorded and not sent: history before go-live, states that are not notified',
    COMMENT COLUMN IF EXISTS value_low 'Lower bound of the value: unknown blocks count for no leader';
ALTER TABLE alert_mutes_log
    MODIFY COMMENT 'Rules whose transitions are recorded and not sent for a while';
ALTER TABLE alert_state_log
    COMMENT COLUMN IF EXISTS go_live_height 'Transitions above this height are sent (-1: all are); NULL before go-live';
ALTER TABLE asymmetry_log
    COMMENT COLUMN IF EXISTS trend_dropped 'Trend of L in doublings per year over the periods of two years, residual buckets left out; NULL below five periods',
    COMMENT COLUMN IF EXISTS trend_one_owner 'Trend of L in doublings per year over the periods of two years, each bucket one owner; NULL below five periods',
    COMMENT COLUMN IF EXISTS trend_spread 'Trend of L in doublings per year over the periods of two years, each bucket cut into bucket_owners equal owners; NULL below five periods';
ALTER TABLE blocks_log
    COMMENT COLUMN IF EXISTS label 'Producer as a replayed file names it; empty where it names none',
    COMMENT COLUMN IF EXISTS fees_sats 'Fees of the block in satoshis; NULL where the source has none';
ALTER TABLE concentration_log
    COMMENT COLUMN IF EXISTS unknown 'Blocks of the window without a known producer';
ALTER TABLE dispersion_log
    COMMENT COLUMN IF EXISTS imputed 'Observations without their own error, which got that of the others';
ALTER TABLE release_observations_log
    COMMENT COLUMN IF EXISTS venue 'Where it runs by its source: device, edge, on_premises, regional_cloud, hyperscale or unknown',
    COMMENT COLUMN IF EXISTS item 'What is owned or offered';
ALTER TABLE releases_log
    COMMENT COLUMN IF EXISTS coverage 'full, or partial where the period is incomplete: shown and never scored';
