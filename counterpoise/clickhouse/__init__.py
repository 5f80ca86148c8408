"""Everything that speaks to ClickHouse: the client, migrations, rows of each table, named queries, the data dictionary."""
