"""`counterpoise as-of`: a past day by what was known then, and by what is known now."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from counterpoise.windows import USUAL_WINDOW_BLOCKS
from desk.cli.console import Console, cell, plain_table
from desk.cli.options import ChainOption, JsonOption, WindowOption
from desk.cli.say import say


def as_of(
    day: Annotated[str, typer.Argument(help="UTC day, such as 2024-06-30.", metavar="DAY")],
    *,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    chain: ChainOption = "bitcoin",
    only_differences: Annotated[bool, typer.Option("--differences", help="Print only what differs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a past day twice: by what was known at its end, and by what is known now.

    Registry, entity map, releases, rules and alerts are compared, with what differs. The output names what the tables do not version.
    """
    from counterpoise.chain.chain_registry import chain_named
    from counterpoise.clickhouse.client import connect
    from counterpoise.errors import ConfigError
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.as_of.known import NOT_VERSIONED, SECTIONS, parse_day, shown
    from desk.as_of.read import read_as_of

    chain_named(chain)
    try:
        wanted = parse_day(day)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        found = read_as_of(clickhouse, chain, wanted, window)
    if as_json:
        say(json.dumps(found.to_json(), ensure_ascii=False, indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    table = plain_table("what", "known then", "known now", "differs because")
    reasons = {(one.section, one.name): one.why for one in found.differences}
    for section in SECTIONS:
        for name, then, now in found.in_section(section):
            why = reasons.get((section, name), "")
            if why or not only_differences:
                table.add_row(cell(f"{section} {name}"), cell(shown(then)), cell(shown(now)), why)
    console.print(table)
    differing = "1 difference" if len(reasons) == 1 else f"{len(reasons)} differences"
    console.print(
        f"{found.chain}, end of {found.day.isoformat()} UTC: block {found.height:,} ({found.time:%Y-%m-%d %H:%M} UTC), window of "
        f"{found.window_blocks:,} blocks, {differing}. Shares are of all blocks, unknown ones included.",
        style="dim",
    )
    for note in (*found.changes, *found.then.hindsight):
        console.print(cell(note), style="dim")
    console.print("Limits of what is versioned:", style="dim")
    for name, note in NOT_VERSIONED.items():
        console.print(f"  {name}: {note}", style="dim")
