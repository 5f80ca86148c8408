"""`counterpoise claims`: the claims of the founding article, checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from desk.cli.console import Console, plain_table
from desk.cli.options import JsonOption
from desk.cli.say import say

if TYPE_CHECKING:
    from desk.claims.article_claims import Claim


def claims(
    *,
    sql: Annotated[str, typer.Option("--sql", help="Print the query of one claim and stop.", metavar="NAME")] = "",
    as_json: JsonOption = False,
) -> None:
    """Check each claim of the founding article: its measure, the figure in April 2025 and now, and a verdict."""
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.claims.checked_claims import check_all, written

    if sql:
        say(_named(sql).sql)
        return
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        found, newest = check_all(clickhouse)
    as_of = f"{newest:%Y-%m-%d %H:%M:%S}" if newest else None
    if as_json:
        claims = [one.to_json() for one in found]
        say(json.dumps({"as_of": as_of, "claims": claims}, ensure_ascii=False, indent=2, allow_nan=False))
        return
    table = plain_table("claim", "then", "now", "verdict", "measure")
    for one in found:
        unit = one.claim.unit
        table.add_row(one.claim.text, written(one.then, unit), written(one.now, unit), one.verdict, one.claim.measure)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"Newest block {as_of or 'none'} UTC, bitcoin, raw view; shares are of all blocks, unknown ones included. "
        "`counterpoise claims --sql NAME` prints a query; --json names the claims and gives the reason of each verdict.",
        style="dim",
    )


def _named(name: str) -> Claim:
    from counterpoise.errors import ConfigError
    from desk.claims.article_claims import CLAIMS

    with_sql = {claim.name: claim for claim in CLAIMS if claim.sql}
    if name not in with_sql:
        raise ConfigError(f"--sql {name[:40]!r}: expected a claim with a measure: {', '.join(with_sql)}")
    return with_sql[name]
