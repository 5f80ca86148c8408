"""`counterpoise settle` and `counterpoise risk`: what the shares of now mean for a payment, a transaction and the chain."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.formats import TEXT
from counterpoise.windows import USUAL_WINDOW_BLOCKS
from desk.cli.completed_names import pool_sums
from desk.cli.console import Console, cell, plain_table
from desk.cli.options import ChainOption, HeightOption, JsonOption, WindowOption
from desk.cli.say import say

if TYPE_CHECKING:
    from counterpoise.chain.chain import Chain
    from counterpoise.clickhouse.pool_blocks import PoolBlocks
    from desk.adversaries import Adversary

CoalitionOption = Annotated[
    str,
    typer.Option(
        "--with", help="A coalition of pools joined by +, such as foundry-usa+antpool.", autocompletion=pool_sums
    ),
]


_MORE = "Retargets: days to the next two if they stop. Selfish mining pays if more than γ of the others follow their block in a tie."
_WIDE = 110
"""Columns from which the table of `risk` names the pools and the retargets."""


def settle(
    usd: Annotated[str, typer.Option("--usd", help="Amount of the payment in US dollars, such as 10m or 250k.")],
    max_expected_loss: Annotated[
        str, typer.Option("--max-expected-loss", help="Largest acceptable expected loss in US dollars.")
    ],
    *,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    height: HeightOption = None,
    chain: ChainOption = "bitcoin",
    coalition: CoalitionOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show how many confirmations a payment needs against each adversary.

    The expected loss is the amount times Rosenfeld's probability of a double spend.
    """
    from desk.adversaries import POOL_NOTE, settlement_json, settlements
    from desk.amounts import parse_amount

    amount, limit = parse_amount(usd, "--usd"), parse_amount(max_expected_loss, "--max-expected-loss")
    known, read, found = _read(chain, window, height, coalition)
    rows = settlements(found, amount, limit, known.block_spacing_seconds)
    if as_json:
        _print_json(
            {
                **read.to_json(),
                "amount": amount,
                "max_expected_loss": limit,
                "model": "Rosenfeld, arXiv:1402.2009",
                "note": POOL_NOTE,
                "adversaries": [settlement_json(row) for row in rows],
            }
        )
        return
    table = plain_table("adversary", "who", "share", "to", "confirmations", "at the upper end", "wait")
    for row in rows:
        table.add_row(
            row.adversary.label,
            cell(_who(row.adversary)),
            _percent(row.adversary.share),
            _percent(row.adversary.share_high),
            _confirmations(row.confirmations),
            _confirmations(row.confirmations_high),
            _wait(row.minutes),
        )
    console = Console(highlight=False)
    console.print(f"Confirmations for an expected loss below {limit:,.0f} of {amount:,.0f} USD")
    console.print(table)
    _print_notes(console, read, POOL_NOTE)


def risk(
    *,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    height: HeightOption = None,
    chain: ChainOption = "bitcoin",
    coalition: CoalitionOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what the shares of the largest mean: finality, refused transactions, a coordinated stop, selfish mining."""
    from desk.adversaries import POOL_NOTE, risk_json

    known, read, found = _read(chain, window, height, coalition)
    rows = [
        risk_json(one, read.height, block_seconds=known.block_spacing_seconds, retarget_blocks=known.retarget_blocks)
        for one in found
    ]
    if as_json:
        _print_json({**read.to_json(), "note": POOL_NOTE, "adversaries": rows})
        return
    console = Console(highlight=False)
    wide = console.width >= _WIDE
    heads = ("adversary", "share", "z 1 %", "0.1 %", "0.001 %", "refused", "99 %", "stop")
    table = plain_table(*heads, *(("who", "retargets", "selfish γ") if wide else ()))
    for one, row in zip(found, rows, strict=True):
        at = row["at_share"]
        days = at.get("stop_first_retarget_days"), at.get("stop_second_retarget_days")
        retargets = "–" if None in days else f"{days[0]:.1f} d, {days[1]:.1f} d"
        more = (cell(_who(one, shown=1)), retargets, f"{at['selfish_mining_pays_from_gamma']:.2f}")
        table.add_row(
            one.label,
            _percent(one.share),
            *(_few(at[f"confirmations_{name}_percent"]) for name in ("1", "0_1", "0_001")),
            _wait(at["refused_mean_minutes"]),
            _wait(at["refused_99_percent_minutes"]),
            f"×{at['stop_interval_ratio']:.2f}" if at.get("stop_interval_ratio") else "–",
            *(more if wide else ()),
        )
    console.print(table)
    console.print(
        "z: confirmations for that risk of a double spend; none: no number suffices. Refused: mean wait of a transaction that they "
        "refuse and all others include, and the wait for 99 %. Stop: block interval if they stop. "
        + (
            _MORE
            if wide
            else "A wider terminal shows who, the days to the next two retargets, and γ of selfish mining."
        ),
        style="dim",
    )
    _print_notes(console, read, POOL_NOTE)


def _read(chain: str, window: int, height: int | None, coalition: str) -> tuple[Chain, PoolBlocks, list[Adversary]]:
    from counterpoise.chain.chain_registry import chain_named
    from counterpoise.clickhouse.client import connect
    from counterpoise.clickhouse.pool_blocks import read_pool_blocks
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.adversaries import adversaries

    known = chain_named(chain)
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        read = read_pool_blocks(clickhouse, chain, window, height)
    return known, read, adversaries(read, read.pools(coalition, "--with"))


def _print_notes(console: Console, read: PoolBlocks, *notes: str) -> None:
    for note in (f"{read.denominator}.", "Shares run to the upper end of their 95 % interval.", *notes):
        console.print(note, style="dim")


def _print_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def _who(one: Adversary, shown: int = 4) -> str:
    members: Sequence[str] = one.members
    return ", ".join(members[:shown]) + (f" and {len(members) - shown} more" if len(members) > shown else "")


def _percent(share: float) -> str:
    return TEXT.share(share)


def _few(needed: float | None) -> str:
    return "none" if needed is None or not math.isfinite(needed) else f"{needed:,.0f}"


def _confirmations(needed: float | None) -> str:
    return "no number suffices" if needed is None or not math.isfinite(needed) else f"{needed:,.0f}"


def _wait(minutes: float | None) -> str:
    if minutes is None or not math.isfinite(minutes):
        return "no end"
    return (
        f"{minutes:,.0f} min"
        if minutes < 120
        else f"{minutes / 60:,.1f} h"
        if minutes < 2_880
        else f"{minutes / 1_440:,.1f} d"
    )
