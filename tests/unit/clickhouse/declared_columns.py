"""The columns that a table's file declares."""

from __future__ import annotations

import re

from counterpoise.clickhouse.sql_files import sql_root


def stored_columns_of(table: str) -> list[str]:
    """Their names in the order of `sql/tables/TABLE.sql`; its indexes are no columns."""
    text = (sql_root() / "tables" / f"{table}.sql").read_text()
    [body] = re.findall(rf"CREATE TABLE IF NOT EXISTS {table}\n\((.*?)\n\)\nENGINE", text, re.DOTALL)
    return re.findall(r"^    (?!INDEX )(\w+) ", body, re.MULTILINE)
