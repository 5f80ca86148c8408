"""What the editor completes and the console lists: tables, columns, functions, keywords, named queries."""

from __future__ import annotations

from typing import Any, Final

from desk.named_queries import named_queries
from desk.web.api.reader import Reader

COLUMNS: Final = """SELECT t.name, t.comment, c.name, c.type, c.comment
FROM system.tables AS t
INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
WHERE t.database = currentDatabase()
ORDER BY t.name LIKE '%\\_log', t.name, c.position"""
FUNCTIONS: Final = "SELECT name, is_aggregate FROM system.functions ORDER BY name"
LIMITS: Final = """SELECT name, value FROM system.settings
WHERE name IN ('max_execution_time', 'max_memory_usage', 'max_result_rows', 'max_result_bytes')
ORDER BY name"""

KEYWORDS: Final = tuple(
    """
    SELECT FROM WHERE PREWHERE GROUP BY ORDER LIMIT OFFSET HAVING WITH AS DISTINCT ASC DESC AND OR NOT IN BETWEEN LIKE ILIKE IS
    NULL CASE WHEN THEN ELSE END JOIN LEFT RIGHT INNER FULL ASOF ANY ALL ON USING UNION EXCEPT INTERSECT OVER PARTITION QUALIFY
    ARRAY FINAL SAMPLE INTERVAL SHOW TABLES DESCRIBE EXPLAIN
    """.split()  # noqa: SIM905 - words in a block can be read
)


def schema(reader: Reader) -> dict[str, Any]:
    """The document; JSON values only."""
    tables: dict[str, dict[str, Any]] = {}
    _, blocks = reader.read(COLUMNS, {})
    for columns in blocks:
        for table, about, name, spec, comment in zip(*columns, strict=True):
            entry = tables.setdefault(table, {"name": table, "comment": about, "columns": []})
            entry["columns"].append({"name": name, "type": spec, "comment": comment})
    _, found = reader.read(FUNCTIONS, {})
    functions = [
        {"name": name, "aggregate": bool(aggregate)}
        for columns in found
        for name, aggregate in zip(*columns, strict=True)
    ]
    return {
        "tables": list(tables.values()),
        "functions": functions,
        "keywords": list(KEYWORDS),
        "queries": [
            {
                "name": query.name,
                "description": query.description,
                "sql": query.sql,
                "parameters": [
                    {"name": one.name, "type": one.type, "default": one.default, "meaning": one.meaning}
                    for one in query.parameters
                ],
            }
            for query in named_queries().values()
        ],
    }
