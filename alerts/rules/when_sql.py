"""The query that gives the values of conditions at a height again, from stored integers. Pure.

The parts that are filled in are names and numbers that the rules and contracts admit, so that nothing in them could end the quotes.
"""

from __future__ import annotations

from collections.abc import Sequence

from alerts.rules.condition import Condition
from alerts.rules.rule import series_sql
from alerts.signals.signal import SignalSql, SignalSubject
from alerts.signals.window_counts import WindowPlace


def reproducing_sql(
    placed: Sequence[tuple[Condition, WindowPlace]], chain: str, attribution_id: str, height: int
) -> str:
    """`value` is that of the first condition, `value_2` that of the second, and so on. It ends with the height."""
    (main, place), columns = placed[0], []
    sql = main.source.sql(SignalSubject(main.pool, place.view, attribution_id))
    joins = [_beside(sql, chain, attribution_id)]
    for at, (condition, where) in enumerate(placed, start=1):
        name = "value" if at == 1 else f"value_{at}"
        expression = sql.value
        if at > 1:
            joins.append(_joined(f"then_{at}", condition, where, chain, attribution_id))
            expression = f"then_{at}.then_{at}_value"
        if condition.change_blocks:
            joins.append(_joined(f"before_{at}", condition, where, chain, attribution_id, shifted=True))
            expression += f" - before_{at}.before_{at}_value"
        columns.append(f"{expression} AS {name}")
    if sql.upper and not main.change_blocks:
        columns[1:1] = [f"{sql.upper} AS value_high", *([f"{sql.low} AS value_low"] if sql.low else [])]
    return (
        f"{_with(sql)}SELECT height, lower(hex(tip_hash)) AS tip_hash, n, unknown, {', '.join(columns)} "  # noqa: S608
        f"FROM concentration_log FINAL{''.join(joins)} WHERE {series_sql(attribution_id, chain, place)} AND height = {height}"
    )


def _joined(
    alias: str, condition: Condition, place: WindowPlace, chain: str, attribution_id: str, *, shifted: bool = False
) -> str:
    """A join with a signal by height; `shifted`: with what it was at least, `change_blocks` heights before."""
    sql = condition.source.sql(SignalSubject(condition.pool, place.view, attribution_id))
    at = f"toUInt32(height + {condition.change_blocks}) AS height" if shifted else "height"
    value = (sql.low or sql.value) if shifted else sql.value
    return (
        f" LEFT JOIN ({_with(sql)}SELECT {at}, {value} AS {alias}_value FROM concentration_log FINAL"  # noqa: S608
        f"{_beside(sql, chain, attribution_id)} WHERE {series_sql(attribution_id, chain, place)}) AS {alias} USING (height)"
    )


def _beside(sql: SignalSql, chain: str, attribution_id: str) -> str:
    """Joins with the further tables of a signal; a height that they lack has no value."""
    return "".join(
        f" INNER JOIN (SELECT height, {', '.join(columns)} FROM {table} FINAL WHERE attribution_id = '{attribution_id}' "  # noqa: S608
        f"AND chain = '{chain}') AS beside_{table} USING (height)"
        for table, columns in sql.tables
    )


def _with(sql: SignalSql) -> str:
    return f"WITH {', '.join(f'{text} AS {name}' for name, text in sql.terms)} " if sql.terms else ""
