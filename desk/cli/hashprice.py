"""`counterpoise hashprice`: what hashing earned in a window of blocks, in coins and in USD at a price that names its source."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.formats import TEXT
from counterpoise.windows import USUAL_WINDOW_BLOCKS
from desk.cli.console import Console, cell, plain_table
from desk.cli.options import ChainOption, HeightOption, JsonOption, WindowOption
from desk.cli.say import say

_SATS = 100_000_000
_MADE_UP = "unknown: the last block has a made-up header"


def hashprice(
    *,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    height: HeightOption = None,
    chain: ChainOption = "bitcoin",
    price: Annotated[
        str,
        typer.Option("--price", help="US dollars for one coin, such as 91k. It needs --price-source and --price-date."),
    ] = "",
    price_source: Annotated[str, typer.Option("--price-source", help="Who published the price.")] = "",
    price_date: Annotated[str, typer.Option("--price-date", help="Day of the price, such as 2026-11-20.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show what one PH/s of hashrate earned a day: subsidy and fees of a window, at the difficulty of its last block.

    Counterpoise stores no price. A figure in USD is shown beside the source and the age of the price that you give.
    """
    from counterpoise.chain.chain_registry import chain_named
    from counterpoise.clickhouse.client import connect
    from counterpoise.errors import ConfigError
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.asker import Asker

    subsidy = chain_named(chain).subsidy
    given = price_of(price, price_source, price_date)
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        rows = Asker(clickhouse, settings.dataset).ask(
            "hashprice",
            "hashprice",
            chain=chain,
            window=window,
            first_sats=subsidy.first_sats,
            halving_blocks=subsidy.halving_blocks,
            **({} if height is None else {"height": height}),
        )
    if not rows or (height is not None and rows[0]["height"] != height):
        where = "" if height is None else f" at height {height}"
        raise ConfigError(f"no scored block of {chain}{where} is stored; `counterpoise status` shows the newest one")
    found = with_price(rows[0], given)
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False, default=str))
        return
    _print(found, chain)


def price_of(price: str, source: str, day: str) -> dict[str, Any] | None:
    """The price as it was given, with its age in days; None where none was. ConfigError where a part is missing or wrong."""
    from counterpoise.errors import ConfigError
    from desk.amounts import parse_amount

    if not price and not source and not day:
        return None
    if not (price and source and day):
        raise ConfigError("--price, --price-source and --price-date belong together: a price has a source and a day")
    try:
        told = date.fromisoformat(day)
    except ValueError:
        raise ConfigError(f"--price-date {day!r}: expected a day such as 2026-11-20") from None
    age = (datetime.now(UTC).date() - told).days
    if age < 0:
        raise ConfigError(f"--price-date {day!r}: that day has not come")
    return {"usd": parse_amount(price, "--price"), "source": source, "day": told.isoformat(), "age_days": age}


def with_price(row: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """The row with the price and the hashprice in USD; both are null without a price."""
    reward = row["hashprice_btc"] if row["hashprice_btc"] is not None else row["hashprice_of_subsidy_btc"]
    return {**row, "price": given, "hashprice_usd": None if given is None or reward is None else reward * given["usd"]}


def _print(found: dict[str, Any], chain: str) -> None:
    console = Console(highlight=False)
    table = plain_table("figure", "value", "note")
    has_fees, is_real = found["mean_fees_sats"] is not None, found["difficulty"] is not None
    coin, smallest = ("BTC", "sats") if chain == BITCOIN.name else ("coins", "of 100,000,000 a coin")
    lines = [
        ("subsidy", f"{found['mean_subsidy_sats'] / _SATS:.8f} {coin}", "mean of a block"),
        ("fees", f"{found['mean_fees_sats'] / _SATS:.8f} {coin}" if has_fees else "–", _fee_note(found)),
        ("part of fees", TEXT.share(found["fee_share"]) if has_fees else "–", "of subsidy and fees"),
        ("difficulty", f"{found['difficulty']:,.0f}" if is_real else "–", "of the last block" if is_real else _MADE_UP),
        (
            "hashprice",
            f"{(found['hashprice_btc'] if has_fees else found['hashprice_of_subsidy_btc']) * _SATS:,.0f} {smallest}"
            if is_real
            else "–",
            ("a day for 1 PH/s" + ("" if has_fees else ", without fees")) if is_real else _MADE_UP,
        ),
    ]
    price = found["price"]
    if price is not None and is_real:
        note = f"at {price['usd']:,.0f} USD of {price['source']}, {price['day']} ({price['age_days']} days old)"
        lines.append(("hashprice", f"{found['hashprice_usd']:,.2f} USD", note))
    for figure, value, note in lines:
        table.add_row(figure, value, cell(note))
    console.print(table)
    heights = f"{found['from_height']:,} to {found['height']:,} ({found['time']:%Y-%m-%d %H:%M} UTC)"
    console.print(f"{chain}, {found['blocks']:,} blocks, {heights}.", style="dim")


def _fee_note(found: dict[str, Any]) -> str:
    known = found["blocks_with_fees"]
    if not known:
        return "no source of these blocks has fees"
    return f"mean of a block, known for {known:,} of {found['blocks']:,}"
