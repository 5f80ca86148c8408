-- A user who may read one dataset and change nothing. docker-compose.yml runs this at each start (deploy/clickhouse/users.sh). For a ClickHouse
-- server of your own put the dataset's name in place of `counterpoise` in the GRANT, and run this as an administrator:
--
--   clickhouse-client --param_reader_password=… --multiquery < sql/recipes/read_only_user.sql
--
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

CREATE USER IF NOT EXISTS counterpoise_reader IDENTIFIED WITH sha256_password BY {reader_password:String}
    SETTINGS PROFILE 'counterpoise_reader';

ALTER USER counterpoise_reader IDENTIFIED WITH sha256_password BY {reader_password:String};

GRANT SELECT ON counterpoise.* TO counterpoise_reader;
