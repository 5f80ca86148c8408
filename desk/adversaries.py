"""Who could act together in a window, and what that share would mean. Pure: blocks of pools in, figures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from counterpoise.errors import ConfigError
from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.risk.censorship import delay_minutes, delay_quantile_blocks, expected_delay_blocks
from counterpoise.risk.coordinated_stop import coordinated_stop
from counterpoise.risk.double_spend import confirmations_for_loss, confirmations_needed, expected_loss
from counterpoise.risk.selfish_mining import selfish_tie
from counterpoise.windows import LEADERS, RAW, View

if TYPE_CHECKING:
    from counterpoise.clickhouse.pool_blocks import PoolBlocks

POOL_NOTE: Final = (
    "The adversary is each of these acting as one. A pool is not its miners, who can leave it; "
    "the cost of an attack is not part of the model."
)


@dataclass(frozen=True, slots=True)
class Adversary:
    """Pools or an entity acting as one: `share` of all blocks, and the upper end of its 95 % interval."""

    label: str
    view: View
    members: tuple[str, ...]
    blocks: int
    share: float
    share_high: float


def adversaries(window: PoolBlocks, coalition: Sequence[str] = ()) -> list[Adversary]:
    """The largest pool, the largest entity, the two to six largest pools, and `coalition` (`PoolBlocks.pools`) where it is given.

    ConfigError where no block of the window is attributed.
    """
    raw, entity = window.views[RAW], window.views["entity"]
    if not raw.leaders:
        raise ConfigError(f"no block of the window at height {window.height} has a known producer")
    found = [
        _adversary("largest pool", RAW, raw.leaders[:1], raw.n, raw.pools_seen),
        _adversary("largest entity", "entity", entity.leaders[:1], entity.n, entity.pools_seen),
    ]
    for k in range(2, min(LEADERS, len(raw.leaders)) + 1):
        found.append(_adversary(f"{k} largest pools", RAW, raw.leaders[:k], raw.n, raw.pools_seen))
    if coalition:
        members = [(pool, window.raw[pool]) for pool in coalition]
        found.append(_adversary("coalition", RAW, members, raw.n, raw.pools_seen))
    return found


def _adversary(label: str, view: View, members: Sequence[tuple[str, int]], n: int, pools_seen: int) -> Adversary:
    blocks = sum(count for _, count in members)
    high = float(top_share_posterior(n, blocks, pools_seen, len(members), 0.75)[1])
    return Adversary(label, view, tuple(pool for pool, _ in members), blocks, blocks / n, high)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Confirmations until the expected loss is small enough, at the share and at its upper end; inf where no number suffices."""

    adversary: Adversary
    confirmations: float
    confirmations_high: float
    minutes: float
    minutes_high: float
    expected_loss: float


def settlements(
    found: Sequence[Adversary], amount: float, max_expected_loss: float, block_seconds: float
) -> list[Settlement]:
    """One for each adversary. `expected_loss` is the amount's at `confirmations`, and the amount itself where no number suffices."""
    shares = np.array([[one.share, one.share_high] for one in found])
    needed = confirmations_for_loss(amount, max_expected_loss, shares)
    minutes = delay_minutes(needed, block_seconds)
    waited = np.where(np.isfinite(needed[:, 0]), needed[:, 0], 1.0)
    losses = expected_loss(amount, shares[:, 0], waited)
    return [
        Settlement(one, *(float(value) for value in (*needed[i], *minutes[i], losses[i])))
        for i, one in enumerate(found)
    ]


def _json_number(value: float) -> float | int | None:
    return None if not np.isfinite(value) else int(value) if float(value).is_integer() else float(value)


def adversary_json(one: Adversary) -> dict[str, Any]:
    """Its fields, shares with the window's blocks as denominator."""
    return {
        "adversary": one.label,
        "view": one.view,
        "members": list(one.members),
        "blocks": one.blocks,
        "share": one.share,
        "share_high_97_5": one.share_high,
    }


def settlement_json(one: Settlement) -> dict[str, Any]:
    """As JSON; null confirmations with `suffices` false where no number suffices."""
    return {
        **adversary_json(one.adversary),
        "suffices": bool(np.isfinite(one.confirmations)),
        "confirmations": _json_number(one.confirmations),
        "confirmations_at_high": _json_number(one.confirmations_high),
        "minutes": _json_number(one.minutes),
        "minutes_at_high": _json_number(one.minutes_high),
        "expected_loss": one.expected_loss,
    }


def risk_json(one: Adversary, height: int, *, block_seconds: float, retarget_blocks: int) -> dict[str, Any]:
    """What its share means at the point and at the upper end: finality, a refused transaction, selfish mining, a stop."""
    return {
        **adversary_json(one),
        "at_share": _meaning(one.share, height, block_seconds, retarget_blocks),
        "at_high": _meaning(one.share_high, height, block_seconds, retarget_blocks),
    }


def _meaning(share: float, height: int, block_seconds: float, retarget_blocks: int) -> dict[str, Any]:
    mean, late = expected_delay_blocks(share), delay_quantile_blocks(share, 0.99)
    values: dict[str, Any] = {
        "confirmations_1_percent": confirmations_needed(share, 0.01),
        "confirmations_0_1_percent": confirmations_needed(share, 0.001),
        "confirmations_0_001_percent": confirmations_needed(share, 0.00001),
        "refused_mean_blocks": mean,
        "refused_mean_minutes": delay_minutes(mean, block_seconds),
        "refused_99_percent_blocks": late,
        "refused_99_percent_minutes": delay_minutes(late, block_seconds),
        "selfish_mining_pays_from_gamma": selfish_tie(share),
    }
    if retarget_blocks > 1:
        stop = coordinated_stop(
            share, height, block_seconds=block_seconds, target_seconds=block_seconds, retarget_blocks=retarget_blocks
        )
        values |= {
            "stop_interval_ratio": stop.interval_ratio,
            "stop_interval_minutes": stop.interval_seconds / 60.0,
            "stop_first_retarget_days": stop.first_retarget_seconds / 86_400.0,
            "stop_second_retarget_days": stop.second_retarget_seconds / 86_400.0,
        }
    return {name: _json_number(float(value)) for name, value in values.items()}
