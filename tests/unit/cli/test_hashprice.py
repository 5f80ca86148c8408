"""A price has a source and a day, and hashprice in USD is the reward at that price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from counterpoise.errors import ConfigError
from desk.cli.hashprice import price_of, with_price
from tests.plain_economics import SATS_PER_BTC, hashprice

DAY = datetime.now(UTC).date() - timedelta(days=3)
SUBSIDY = float(hashprice(3.125, 152e12))


def row(fees_sats: float | None) -> dict[str, Any]:
    reward = None if fees_sats is None else float(hashprice(3.125 + fees_sats / SATS_PER_BTC, 152e12))
    return {"hashprice_of_subsidy_btc": SUBSIDY, "hashprice_btc": reward, "mean_fees_sats": fees_sats}


def test_without_a_price_there_are_no_dollars() -> None:
    assert price_of("", "", "") is None
    assert with_price(row(1e6), None)["hashprice_usd"] is None


def test_dollars_are_the_reward_at_the_price_and_name_its_age() -> None:
    price = price_of("91k", "our desk", DAY.isoformat())
    assert price == {"usd": 91_000.0, "source": "our desk", "day": DAY.isoformat(), "age_days": 3}
    assert round(with_price(row(None), price)["hashprice_usd"], 2) == 37.64
    assert with_price(row(0.125 * SATS_PER_BTC), price)["hashprice_usd"] == pytest.approx(
        37.64 * 3.25 / 3.125, abs=0.01
    )


@pytest.mark.parametrize(
    ("price", "source", "day", "message"),
    [
        ("91k", "", DAY.isoformat(), "belong together"),
        ("", "our desk", "", "belong together"),
        ("91k", "our desk", "yesterday", "--price-date 'yesterday': expected a day"),
        ("91k", "our desk", "2999-01-01", "that day has not come"),
        ("much", "our desk", DAY.isoformat(), "--price 'much': expected an amount above 0"),
    ],
)
def test_a_price_without_source_or_day_is_refused(price: str, source: str, day: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        price_of(price, source, day)
