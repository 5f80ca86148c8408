-- One user for each service with the rights that it needs and no other. docker-compose.yml runs this at each start (deploy/clickhouse/users.sh).
-- For a ClickHouse server of your own, write the password of each user into a file and run the same script. Its first lines say how:
--
--   CLICKHOUSE_HOST=… CLICKHOUSE_USER=… SECRETS=deploy/secrets RECIPES=sql/recipes/services.sql sh deploy/clickhouse/users.sh
--
-- The script puts a salted hash of each password here, and the dataset's name in place of `counterpoise`. A password belongs neither on a
-- command line nor in a parameter of a statement: a list of processes shows the one, the server's query log the other.
--
-- Views run with the rights of who asks, so everybody needs SELECT on the storage tables too. Nobody but counterpoise_migrate may make or drop
-- anything that stays, and nobody may ALTER, TRUNCATE or OPTIMIZE: rows are only ever added. Each service is then told who it is:
--
--   COUNTERPOISE_CLICKHOUSE__USER=counterpoise_streams_service COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE=… counterpoise run streams
--
-- `counterpoise run all` runs every service under one user: give that user the roles of ingest, streams and alerts. People who ask use
-- read_only_user.sql. Run it again with another password, and the user has that one.

CREATE ROLE IF NOT EXISTS counterpoise_ingest;
CREATE ROLE IF NOT EXISTS counterpoise_streams;
CREATE ROLE IF NOT EXISTS counterpoise_alerts;
CREATE ROLE IF NOT EXISTS counterpoise_desk;
CREATE ROLE IF NOT EXISTS counterpoise_migrate;

-- Ingest (blocks and the AI side) looks up what is held, and marks a database that has no mark.
GRANT SELECT ON counterpoise.* TO counterpoise_ingest;
GRANT INSERT ON counterpoise.datasets_log TO counterpoise_ingest;
GRANT INSERT ON counterpoise.services_log TO counterpoise_ingest;

-- Streams writes facts and what follows from them. `counterpoise pools reattribute` and `counterpoise dlq replay` write no more than it does.
GRANT SELECT ON counterpoise.* TO counterpoise_streams;
GRANT INSERT ON counterpoise.asymmetry_changes_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.asymmetry_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.attribution_pointer_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.attribution_sets_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.attributions_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.blocks_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.concentration_daily_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.concentration_latest_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.concentration_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.datasets_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.dead_letters_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.detectors_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.dispersion_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.drift_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.epochs_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.growth_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.placement_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.pool_names_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.release_chunks_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.release_current_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.release_observations_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.releases_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.scoring_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.series_entries_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.series_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.services_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.share_forecasts_log TO counterpoise_streams;
GRANT INSERT ON counterpoise.time_windows_log TO counterpoise_streams;

-- Alerts writes what it decided and what it said. `counterpoise alerts mute` writes no more than it does.
-- Rows of alerts travel with the statement that checks who leads (an external table): the server counts such a table as a temporary one.
GRANT SELECT ON counterpoise.* TO counterpoise_alerts;
GRANT INSERT ON counterpoise.alert_actions_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.alert_deliveries_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.alert_events_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.alert_mutes_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.alert_receivers_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.alert_state_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.datasets_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.epochs_log TO counterpoise_alerts;
GRANT INSERT ON counterpoise.services_log TO counterpoise_alerts;
GRANT CREATE TEMPORARY TABLE ON *.* TO counterpoise_alerts;

-- The desk's page reads, and writes what people ask for about an alert. Commands such as `counterpoise status` only read.
GRANT SELECT ON counterpoise.* TO counterpoise_desk;
GRANT INSERT ON counterpoise.alert_actions_log TO counterpoise_desk;
GRANT INSERT ON counterpoise.services_log TO counterpoise_desk;

-- `counterpoise migrate` makes the database, its tables and views, and notes that it did. A view that is made anew replaces the old one.
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, SELECT, INSERT ON counterpoise.* TO counterpoise_migrate;
-- It refuses a server of a cluster that the settings do not name, and makes the tables of one on all servers.
GRANT SELECT ON system.clusters TO counterpoise_migrate;
GRANT SELECT ON system.macros TO counterpoise_migrate;
GRANT CLUSTER ON *.* TO counterpoise_migrate;

CREATE USER IF NOT EXISTS counterpoise_migrate_service IDENTIFIED WITH sha256_hash BY {migrate_hash:String} SALT {migrate_salt:String};
CREATE USER IF NOT EXISTS counterpoise_ingest_service IDENTIFIED WITH sha256_hash BY {ingest_hash:String} SALT {ingest_salt:String};
CREATE USER IF NOT EXISTS counterpoise_market_service IDENTIFIED WITH sha256_hash BY {market_hash:String} SALT {market_salt:String};
CREATE USER IF NOT EXISTS counterpoise_streams_service IDENTIFIED WITH sha256_hash BY {streams_hash:String} SALT {streams_salt:String};
CREATE USER IF NOT EXISTS counterpoise_alerts_service IDENTIFIED WITH sha256_hash BY {alerts_hash:String} SALT {alerts_salt:String};
CREATE USER IF NOT EXISTS counterpoise_desk_service IDENTIFIED WITH sha256_hash BY {desk_hash:String} SALT {desk_salt:String};

ALTER USER counterpoise_migrate_service IDENTIFIED WITH sha256_hash BY {migrate_hash:String} SALT {migrate_salt:String};
ALTER USER counterpoise_ingest_service IDENTIFIED WITH sha256_hash BY {ingest_hash:String} SALT {ingest_salt:String};
ALTER USER counterpoise_market_service IDENTIFIED WITH sha256_hash BY {market_hash:String} SALT {market_salt:String};
ALTER USER counterpoise_streams_service IDENTIFIED WITH sha256_hash BY {streams_hash:String} SALT {streams_salt:String};
ALTER USER counterpoise_alerts_service IDENTIFIED WITH sha256_hash BY {alerts_hash:String} SALT {alerts_salt:String};
ALTER USER counterpoise_desk_service IDENTIFIED WITH sha256_hash BY {desk_hash:String} SALT {desk_salt:String};

GRANT counterpoise_migrate TO counterpoise_migrate_service;
GRANT counterpoise_ingest TO counterpoise_ingest_service;
GRANT counterpoise_ingest TO counterpoise_market_service;
GRANT counterpoise_streams TO counterpoise_streams_service;
GRANT counterpoise_alerts TO counterpoise_alerts_service;
GRANT counterpoise_desk TO counterpoise_desk_service;
