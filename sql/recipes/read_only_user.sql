-- A user who may read one dataset and change nothing. docker-compose.yml runs this at each start (deploy/clickhouse/users.sh). For a ClickHouse
-- server of your own, write the user's password into deploy/secrets/clickhouse_reader_password and an administrator's into clickhouse_password
-- beside it, and run the same script:
--
--   CLICKHOUSE_HOST=… CLICKHOUSE_USER=… SECRETS=deploy/secrets RECIPES=sql/recipes/read_only_user.sql sh deploy/clickhouse/users.sh
--
-- The script puts a salted hash of the password here, and the dataset's name (COUNTERPOISE_DATASET) in place of `counterpoise`.
-- Views run with the rights of who asks, so the user needs SELECT on the storage tables too. `readonly = 1` also keeps the user from
-- changing settings, except the time limit of a query, which Grafana's data source sets; the limits end a query that would take the
-- server with it. Then:
--
--   COUNTERPOISE_CLICKHOUSE__USER=counterpoise_reader counterpoise sql "SELECT * FROM latest_concentration"

CREATE SETTINGS PROFILE IF NOT EXISTS counterpoise_reader SETTINGS
    readonly = 1,
    max_execution_time = 60 MAX 300 CHANGEABLE_IN_READONLY,
    max_memory_usage = 4000000000,
    max_result_rows = 10000000;

CREATE USER IF NOT EXISTS counterpoise_reader IDENTIFIED WITH sha256_hash BY {reader_hash:String} SALT {reader_salt:String}
    SETTINGS PROFILE 'counterpoise_reader';

ALTER USER counterpoise_reader IDENTIFIED WITH sha256_hash BY {reader_hash:String} SALT {reader_salt:String};

GRANT SELECT ON counterpoise.* TO counterpoise_reader;
