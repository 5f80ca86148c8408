"""Adversaries, amounts and pools of a window: what the risk commands compute before they print."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from counterpoise.clickhouse.pool_blocks import PoolBlocks, ViewOfWindow
from counterpoise.errors import ConfigError
from desk.adversaries import adversaries, risk_json, settlement_json, settlements
from desk.amounts import parse_amount

RAW = {"foundry-usa": 300, "antpool": 200, "f2pool": 150, "viabtc": 100, "ant-farm": 50, "ocean": 20, "zulu": 8}
LEADERS = tuple(list(RAW.items())[:6])
WINDOW = PoolBlocks(
    "bitcoin",
    1_008,
    899_999,
    datetime(2025, 6, 6, tzinfo=UTC),
    "00" * 32,
    "r1",
    {
        "raw": ViewOfWindow(1_008, 180, 7, LEADERS),
        "entity": ViewOfWindow(1_008, 180, 3, (("antpool-and-friends", 520), ("foundry-usa", 300), ("ocean", 8))),
    },
    RAW,
)


def test_adversaries_are_pools_an_entity_and_groups_of_pools() -> None:
    found = adversaries(WINDOW, WINDOW.pools("foundry+f2pool", "--with"))
    assert [(one.label, one.blocks) for one in found] == [
        ("largest pool", 300),
        ("largest entity", 520),
        ("2 largest pools", 500),
        ("3 largest pools", 650),
        ("4 largest pools", 750),
        ("5 largest pools", 800),
        ("6 largest pools", 820),
        ("coalition", 450),
    ]
    assert found[-1].members == ("foundry-usa", "f2pool") and found[-1].share == pytest.approx(450 / 1_008)
    assert all(one.share < one.share_high < 1 for one in found)


def test_a_settlement_says_where_no_number_suffices() -> None:
    pool, entity, *_ = settlements(adversaries(WINDOW), 10_000_000, 1_000, 600)
    # 300 of 1,008 are .2976: below 1 in 10,000 after 43 confirmations, by rational arithmetic.
    assert (pool.confirmations, pool.minutes) == (_exact(300, 1_008, 10_000), _exact(300, 1_008, 10_000) * 10)
    assert pool.confirmations_high > pool.confirmations and pool.expected_loss < 1_000
    assert math.isinf(entity.confirmations) and entity.expected_loss == 10_000_000
    as_json = settlement_json(entity)
    assert (as_json["suffices"], as_json["confirmations"], as_json["minutes"]) == (False, None, None)
    assert as_json["share"] == 520 / 1_008


def _exact(blocks: int, n: int, one_in: int) -> int:
    """The fewest confirmations with Rosenfeld's risk below 1/`one_in`, in integers over n^2z."""
    q, p = blocks, n - blocks
    z = 1
    while True:
        missed = sum(math.comb(m + z - 1, m) * (p**z * q**m - p**m * q**z) * n ** (z - m) for m in range(z))
        if (n ** (2 * z) - missed) * one_in < n ** (2 * z):
            return z
        z += 1


def test_what_a_share_means_at_both_ends() -> None:
    [pool, *_] = adversaries(WINDOW)
    meaning = risk_json(pool, 899_999, block_seconds=600, retarget_blocks=2_016)
    at, high = meaning["at_share"], meaning["at_high"]
    assert at["confirmations_0_1_percent"] == _exact(300, 1_008, 1_000)
    assert at["refused_mean_blocks"] == pytest.approx(1_008 / 708)
    assert at["stop_interval_minutes"] == pytest.approx(10 * 1_008 / 708)
    assert at["selfish_mining_pays_from_gamma"] == pytest.approx((1_008 - 3 * 300) / (1_008 - 2 * 300))
    assert high["selfish_mining_pays_from_gamma"] <= at["selfish_mining_pays_from_gamma"]
    assert all(high[name] >= at[name] for name in at if not name.startswith("selfish"))
    # A chain that sets its difficulty anew for each block has no figures of a stop.
    assert not any(
        name.startswith("stop") for name in risk_json(pool, 1, block_seconds=600, retarget_blocks=1)["at_share"]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant", "--with 'ant': could be ant-farm, antpool; expected the slug of one pool"),
        ("foundry+nope", "--with 'nope': made no block of the window; expected the slug of one pool"),
    ],
)
def test_a_pool_is_named_without_doubt(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WINDOW.pools(text, "--with")
    assert str(caught.value) == message
    assert WINDOW.pools("antpool+Foundry+foundry-usa", "--with") == ("antpool", "foundry-usa")


@pytest.mark.parametrize(
    "text", ["0", "-5", "ten", "1e400m", "", "10x", "nan", "1,5m", "12,34", "1_0", "1,000,0", ",5", "٣"]
)
def test_an_amount_is_above_zero(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--usd .*: expected an amount above 0, such as 10m, 2\.5k or 1000"):
        parse_amount(text, "--usd")


def test_amounts_have_suffixes() -> None:
    assert [parse_amount(text, "--usd") for text in ("10m", "2.5K", "1,000_000", "0.5b")] == [1e7, 2_500, 1e6, 5e8]
