"""`counterpoise entities`: what a window of blocks would look like if some pools were one, or had joined an entity on other days."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.formats import TEXT
from counterpoise.windows import USUAL_WINDOW_BLOCKS
from desk.cli.completed_names import pool_sums
from desk.cli.console import Console, cell, plain_table
from desk.cli.options import ChainOption, HeightOption, JsonOption, WindowOption, number
from desk.cli.say import say

if TYPE_CHECKING:
    from counterpoise.clickhouse.client import ClickHouse
    from counterpoise.clickhouse.pool_blocks import PoolBlocks
    from counterpoise.risk.mergers import Concentration, Merger

entities_app = typer.Typer(no_args_is_help=True, add_completion=False)


@entities_app.command("diff")
def diff(
    members: Annotated[
        str, typer.Argument(help="Pools joined by +, such as foundry-usa+antpool.", autocompletion=pool_sums)
    ],
    *,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    height: HeightOption = None,
    chain: ChainOption = "bitcoin",
    as_json: JsonOption = False,
) -> None:
    """Show a window before and after some pools become one: shares, HHI, Nakamoto coefficient, confirmations."""
    from counterpoise.errors import ConfigError
    from counterpoise.risk.mergers import merge

    read = _read(chain, window, height)
    pools = read.pools(members, "members")
    if len(pools) < 2:
        raise ConfigError(f"members {members[:60]!r}: expected at least two pools joined by +")
    merger = merge(read.raw, pools, _unknown(read))
    if as_json:
        _print_json({**read.to_json(), "view": "raw", **_merger_json(merger)})
        return
    table = plain_table("measure", "now", "merged", "change")
    for label, before, after, change in _lines(merger):
        table.add_row(label, before, after, change)
    console = Console(highlight=False)
    console.print(cell(f"{' + '.join(merger.members)} as one: {_percent(merger.share)} of blocks"))
    console.print(table)
    _print_notes(console, read, f"The market after it: {merger.verdict()} ({_bands()}).")


@entities_app.command("mergers")
def mergers(
    *,
    largest: Annotated[int, number("--largest", least=2, most=30, help="Pools to pair, the largest first.")] = 6,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    height: HeightOption = None,
    chain: ChainOption = "bitcoin",
    as_json: JsonOption = False,
) -> None:
    """List every merger of two of the largest pools, by the HHI points that it adds."""
    from counterpoise.risk.mergers import pairwise_mergers

    read = _read(chain, window, height)
    found = pairwise_mergers(read.raw, _unknown(read), largest=largest)
    if as_json:
        _print_json({**read.to_json(), "view": "raw", "mergers": [_merger_json(merger) for merger in found]})
        return
    table = plain_table("pools", "share", "top 4", "HHI", "change", "Nakamoto", "z 0.1 %", "DOJ/FTC 2023")
    for merger in found:
        after = merger.after
        table.add_row(
            cell(" + ".join(merger.members)),
            _percent(merger.share),
            _percent(after.top4_share),
            f"{after.hhi_points:,.0f}",
            f"{merger.hhi_change:+,.0f}",
            str(after.nakamoto_half or "–"),
            _confirmations(after),
            merger.verdict(),
        )
    console = Console(highlight=False)
    console.print(table)
    _print_notes(console, read, f"Bands: {_bands()}.")


@entities_app.command("sensitivity")
def sensitivity(
    *,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    height: HeightOption = None,
    chain: ChainOption = "bitcoin",
    as_json: JsonOption = False,
) -> None:
    """Show the entity view of a window under other joining dates of the members whose dates are assumed."""
    from desk.entity_dates import READING_NOTES, read_sensitivity, sensitivity_json

    with _clickhouse() as clickhouse:
        read = _window(clickhouse, chain, window, height)
        found = read_sensitivity(clickhouse, read)
    if as_json:
        _print_json({**read.to_json(), "view": "entity", **sensitivity_json(found)})
        return
    table = plain_table("reading", "largest", "share", "top 4", "HHI", "Nakamoto", "meaning")
    for reading, one in found.readings.items():
        table.add_row(
            reading,
            cell(one.largest),
            _percent(one.largest_share),
            _percent(one.top4_share),
            f"{one.hhi_points:,.0f}",
            str(one.nakamoto_half or "–"),
            READING_NOTES[reading],
        )
    console = Console(highlight=False)
    console.print(table)
    members = plain_table("without", "of", "blocks", "assumed from", "seen", "top 4", "HHI")
    stored = found.readings["map"]
    for effect in found.members:
        members.add_row(
            cell(effect.member.pool),
            cell(effect.group),
            f"{effect.blocks:,}",
            effect.member.start.isoformat() if effect.member.start else "the beginning",
            effect.member.seen.isoformat() if effect.member.seen else "–",
            f"{TEXT.points(effect.without.top4_share - stored.top4_share)} points",
            f"{effect.without.hhi_points - stored.hhi_points:+,.0f}",
        )
    if found.members:
        console.print(members)
    _print_notes(console, read, "Each pool without its assumed membership; --json names the sources.", view="Entity")


def _read(chain: str, window: int, height: int | None) -> PoolBlocks:
    with _clickhouse() as clickhouse:
        return _window(clickhouse, chain, window, height)


def _clickhouse() -> ClickHouse:
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    return connect(clickhouse_target(settings, read_only=True), settings.dataset)


def _window(clickhouse: ClickHouse, chain: str, window: int, height: int | None) -> PoolBlocks:
    from counterpoise.chain.chain_registry import chain_named
    from counterpoise.clickhouse.pool_blocks import read_pool_blocks
    from counterpoise.errors import ConfigError

    chain_named(chain)
    read = read_pool_blocks(clickhouse, chain, window, height)
    if not read.raw:
        raise ConfigError(f"no block of the window at height {read.height} has a known producer")
    return read


def _unknown(read: PoolBlocks) -> int:
    return read.views["raw"].unknown


def _lines(merger: Merger) -> list[tuple[str, str, str, str]]:
    before, after = merger.before, merger.after
    return [
        (
            "largest",
            f"{_percent(before.largest_share)}",
            f"{_percent(after.largest_share)}",
            f"{TEXT.points(after.largest_share - before.largest_share)} points",
        ),
        (
            "top 4",
            _percent(before.top4_share),
            _percent(after.top4_share),
            f"{TEXT.points(after.top4_share - before.top4_share)} points",
        ),
        ("HHI", f"{before.hhi_points:,.0f}", f"{after.hhi_points:,.0f}", f"{merger.hhi_change:+,.0f}"),
        (
            "Nakamoto coefficient, one half",
            str(before.nakamoto_half or "not reached"),
            str(after.nakamoto_half or "not reached"),
            "",
        ),
        ("confirmations for 0.1 %", _confirmations(before), _confirmations(after), ""),
    ]


def _concentration_json(one: Concentration) -> dict[str, Any]:
    return {
        "largest": one.largest,
        "largest_share": one.largest_share,
        "top4_share": one.top4_share,
        "hhi_10000": one.hhi_points,
        "nakamoto_half": one.nakamoto_half,
        "confirmations_for_0_1_percent": int(one.confirmations) if math.isfinite(one.confirmations) else None,
    }


def _merger_json(merger: Merger) -> dict[str, Any]:
    return {
        "members": list(merger.members),
        "share": merger.share,
        "before": _concentration_json(merger.before),
        "after": _concentration_json(merger.after),
        "hhi_change": merger.hhi_change,
        "verdict": merger.verdict(),
    }


def _bands() -> str:
    from counterpoise.risk.mergers import DOJ_FTC_2023 as BANDS

    return f"{BANDS.source}: {BANDS.moderate:,.0f} and {BANDS.high:,.0f} points, a change of {BANDS.change:,.0f}"


def _print_notes(console: Console, read: PoolBlocks, *notes: str, view: str = "Raw") -> None:
    for note in (f"{view} view: {read.denominator}.", *notes):
        console.print(note, style="dim")


def _print_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def _percent(share: float) -> str:
    return TEXT.share(share)


def _confirmations(one: Concentration) -> str:
    return f"{one.confirmations:,.0f}" if math.isfinite(one.confirmations) else "none suffices"
