"""Everything that speaks to ClickHouse: the client, migrations, rows of each table, named queries, the data dictionary."""

import os

# The driver makes a table of 146,000 dates when it is imported, in every process, unless it may fill it as dates come.
os.environ.setdefault("CLICKHOUSE_DRIVER_LASY_DATE_LUT", "1")
