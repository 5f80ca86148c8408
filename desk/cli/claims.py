"""`counterpoise claims`: the claims of the founding article, checked."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.formats import TEXT
from desk.cli.console import Console, plain_table
from desk.cli.say import say

if TYPE_CHECKING:
    from counterpoise.clickhouse.client import ClickHouse
    from desk.claims.claims import Claim
    from desk.claims.verdicts import Verdict


def claims(
    *,
    sql: Annotated[str, typer.Option("--sql", help="Print the query of one claim and stop.", metavar="NAME")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check each claim of the founding article: its measure, the figure in April 2025 and now, and a verdict."""
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.claims.claims import CLAIMS

    if sql:
        say(_named(sql).sql)
        return
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        found = [(claim, *measured(clickhouse, claim)) for claim in CLAIMS]
        [(as_of,)] = clickhouse.query("SELECT toString(max(time)) FROM latest_concentration WHERE chain = 'bitcoin'")
    if as_json:
        rows = [_json(claim, then, now, result) for claim, then, now, result in found]
        say(json.dumps({"as_of": as_of, "claims": rows}, ensure_ascii=False, indent=2, allow_nan=False))
        return
    table = plain_table("claim", "then", "now", "verdict", "measure")
    for claim, then, now, result in found:
        table.add_row(claim.text, _figure(then, claim.unit), _figure(now, claim.unit), result, claim.measure)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"Newest block {as_of} UTC, bitcoin, raw view; shares are of all blocks, unknown ones included. "
        "`counterpoise claims --sql NAME` prints a query; --json names the claims.",
        style="dim",
    )


def measured(clickhouse: ClickHouse, claim: Claim) -> tuple[float | None, float | None, Verdict]:
    """(figure then, figure now, verdict); no figures where the claim has no measure or the dataset lacks the data."""
    from desk.claims.verdicts import verdict

    if claim.judge is None:
        return None, None, verdict(None, None, None)
    [(then, now, *agree)] = clickhouse.query(claim.sql)
    figures = [None if each is None or not math.isfinite(each) else float(each) for each in (then, now)]
    return figures[0], figures[1], verdict(claim.judge, *figures, agree=all(agree))


def _named(name: str) -> Claim:
    from counterpoise.errors import ConfigError
    from desk.claims.claims import CLAIMS

    with_sql = {claim.name: claim for claim in CLAIMS if claim.sql}
    if name not in with_sql:
        raise ConfigError(f"--sql {name[:40]!r}: expected a claim with a measure: {', '.join(with_sql)}")
    return with_sql[name]


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "share":
        return TEXT.share(value, 2)
    return f"{value:.0f} of 4" if unit == "places" else f"{value:.1f}" if unit == "blocks" else f"{value:.2f}"


def _json(claim: Claim, then: float | None, now: float | None, result: Verdict) -> dict[str, Any]:
    return {
        "claim": claim.name,
        "text": claim.text,
        "measure": claim.measure,
        "unit": claim.unit if claim.judge else None,
        "then": then,
        "now": now,
        "verdict": result,
        "sql": claim.sql or None,
    }
