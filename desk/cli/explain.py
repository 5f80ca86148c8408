"""`counterpoise explain`: which pools moved a metric between two windows."""

from __future__ import annotations

import difflib
import json
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.formats import TEXT
from counterpoise.windows import RAW, USUAL_WINDOW_BLOCKS, View
from desk.cli.console import Console, cell, plain_table
from desk.cli.options import (
    HIGHEST,
    ChainOption,
    HeightOption,
    JsonOption,
    ViewOption,
    WindowOption,
    checked_view,
    number,
)
from desk.cli.say import say

if TYPE_CHECKING:
    from counterpoise.clickhouse.explain_window import WindowPair
    from counterpoise.explain.explained_change import Explanation

_LABELS = {"within chance": "within chance", "within drift": "within drift", "beyond": "beyond both"}


def explain(
    metric: Annotated[str, typer.Argument(help="A metric, such as top4, hhi_10000 or effective_pools_d2.")],
    *,
    view: ViewOption = RAW,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    over: Annotated[str, typer.Option("--over", help="Length of time to look back, such as 24h, 7d or 30d.")] = "7d",
    height: HeightOption = None,
    from_height: Annotated[
        int | None,
        number("--from-height", least=0, most=HIGHEST, help="Last height of the first window, instead of --over."),
    ] = None,
    attribution: Annotated[
        str | None,
        typer.Option(
            "--attribution", help="Earlier attribution set of the first window, from the view attribution_sets."
        ),
    ] = None,
    chain: ChainOption = "bitcoin",
    limit: Annotated[int, number("--limit", least=1, help="Pools to show; the rest is one line.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show the change of a metric as parts by pool that sum to it.

    Each part shows whether the change of the pool's share is within chance, within the usual drift of hashrate, or beyond both.
    With --attribution, what a new registry and a new entity map changed are separate parts.
    """
    from counterpoise.chain.chain_registry import chain_named
    from counterpoise.clickhouse.client import connect
    from counterpoise.clickhouse.explain_window import read_pair
    from counterpoise.errors import ConfigError
    from counterpoise.explain.explained_change import explain as explained
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from counterpoise.spans import parse_span

    name = _metric(metric)
    chain_named(chain)
    chosen = checked_view(view)
    try:
        seconds = parse_span(over, "hdw")
    except ValueError as error:
        raise ConfigError(f"--over {over[:40]!r}: expected a length of time, such as 24h, 7d or 30d") from error
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        pair = read_pair(
            clickhouse,
            chain,
            chosen,
            window,
            height=height,
            from_height=from_height,
            over_seconds=seconds,
            attribution_id=attribution,
        )
    try:
        found = explained(name, pair.before, pair.after, reattributed=pair.reattributed, remapped=pair.remapped)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if as_json:
        say(json.dumps(_json(found, pair, chain, chosen, window), ensure_ascii=False, indent=2, allow_nan=False))
        return
    _print(found, pair, chain, chosen, limit)


def _metric(text: str) -> str:
    from counterpoise.errors import ConfigError
    from counterpoise.explain.contributions import ADDITIVE

    name = next((each for each in (text, f"{text}_share") if each in ADDITIVE), None)
    if name is None:
        near = difflib.get_close_matches(text, ADDITIVE, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"metric {text[:60]!r}: has no parts by pool; {hint}expected one of {', '.join(ADDITIVE)}")
    return name


def _print(found: Explanation, pair: WindowPair, chain: str, view: View, limit: int) -> None:
    from counterpoise.metrics.specs.metric_registry import SPECS

    spec = SPECS[found.metric]
    percent = spec.kind == "percent"
    console = Console(highlight=False)
    console.print(
        f"{spec.title[0].upper()}{spec.title[1:]}: {TEXT.metric(found.before, spec.kind, spec.unit)} at height "
        f"{pair.before.height:,} to {TEXT.metric(found.after, spec.kind, spec.unit)} at {pair.after.height:,}, "
        f"{_change(found.change, percent)}"
    )
    table = plain_table("pool" if view == "raw" else "entity", "share before", "after", "part", "its change is")
    for part in found.parts[:limit]:
        table.add_row(
            cell(part.pool),
            TEXT.share(part.share_before),
            TEXT.share(part.share_after),
            _change(part.change, percent),
            _LABELS[part.label],
        )
    rest = found.parts[limit:]
    if rest:
        table.add_row(f"{len(rest)} more", "", "", _change(math.fsum(part.change for part in rest), percent), "")
    if found.attribution:
        table.add_row("changes of attribution", "", "", _change(found.attribution, percent), "")
    if found.entity_map:
        table.add_row("changes of the entity map", "", "", _change(found.entity_map, percent), "")
    console.print(table)
    sets = (
        f"attribution {pair.attribution_id}"
        if pair.before_attribution_id == pair.attribution_id
        else f"attribution {pair.before_attribution_id} in the first and {pair.attribution_id} in the second"
    )
    console.print(
        f"{chain}, {view} view, windows of {pair.before.n:,} and {pair.after.n:,} blocks ending "
        f"{pair.before_time:%Y-%m-%d %H:%M} and {pair.after_time:%Y-%m-%d %H:%M} UTC, {sets}. "
        "Shares are of all blocks. The parts sum to the change.",
        style="dim",
    )


def _change(value: float, percent: bool) -> str:
    return f"{TEXT.points(value, 2)} points" if percent else f"{value:+,.4g}"


def _json(found: Explanation, pair: WindowPair, chain: str, view: View, window: int) -> dict[str, Any]:
    return {
        "metric": found.metric,
        "chain": chain,
        "view": view,
        "window_blocks": window,
        "attribution_id": pair.attribution_id,
        "before": {
            "height": pair.before.height,
            "time": f"{pair.before_time:%Y-%m-%dT%H:%M:%SZ}",
            "attribution_id": pair.before_attribution_id,
            "n": pair.before.n,
            "unknown": pair.before.unknown,
            "value": found.before,
        },
        "after": {
            "height": pair.after.height,
            "time": f"{pair.after_time:%Y-%m-%dT%H:%M:%SZ}",
            "n": pair.after.n,
            "unknown": pair.after.unknown,
            "value": found.after,
        },
        "change": found.change,
        "attribution": found.attribution,
        "entity_map": found.entity_map,
        "parts": [
            {
                "pool": part.pool,
                "share_before": part.share_before,
                "share_after": part.share_after,
                "change": part.change,
                "label": part.label,
            }
            for part in found.parts
        ],
    }
