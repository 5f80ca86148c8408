"""`confirmations_needed` in closed form, in numpy and as an SQL expression, for the risks that have a metric.

ClickHouse has no incomplete beta function. Up to TABLE_CONFIRMATIONS the answer is a look-up of the shares at which n
confirmations leave the risk. Beyond, Temme's uniform expansion of I_x(n, ½) inverts: with w = erfc⁻¹(risk)² and
y = ¼ + w / −ln 4q(1 − q), the real number of confirmations is y − κ(1/y)/y. κ is a cubic polynomial, fitted to the exact
function from 8 confirmations on (largest error 1.3e-6). A test compares every share of every window with the exact number.

Reference: N. M. Temme, "Special Functions" (1996), 11.3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcinv

from counterpoise.risk.checked import as_shares
from counterpoise.risk.double_spend import share_at_risk

TABLE_CONFIRMATIONS: Final = 12
NO_NUMBER: Final = 65_535
"""Stands for "as many or more, or no number suffices" where a column is UInt16: larger than every answer below it."""

ONE_PERCENT: Final = 0.01
ONE_PER_MILLE: Final = 0.001
ONE_IN_100_000: Final = 0.00001

_KAPPA: Final[dict[float, tuple[float, ...]]] = {
    ONE_PERCENT: (0.1003635, 0.02509562, -0.01575142, -0.01264424),
    ONE_PER_MILLE: (0.1440371, 0.03602844, -0.04938611, -0.03074358),
    ONE_IN_100_000: (0.2344931, 0.05883352, -0.2324991, -0.06044556),
}
"""κ's coefficients by powers of 1/y."""


@dataclass(frozen=True, slots=True)
class _Inverted:
    """The constants of one risk: `shares[n − 1]` is the share at which n confirmations leave it."""

    w: float
    kappa: tuple[float, ...]
    shares: tuple[float, ...]


@lru_cache(maxsize=8)
def _inverted(risk: float) -> _Inverted:
    """To 12 digits, so that the generated SQL does not depend on the last bits of a library. KeyError for other risks."""
    shares = share_at_risk(np.arange(1, TABLE_CONFIRMATIONS + 1), risk)
    return _Inverted(
        float(f"{float(erfcinv(risk)) ** 2:.12g}"), _KAPPA[risk], tuple(float(f"{share:.12g}") for share in shares)
    )


def confirmations_whole(attacker_share: ArrayLike, risk: float) -> NDArray[np.uint16]:
    """`confirmations_needed` as whole numbers from 1 to NO_NUMBER, for a risk that has a metric (KeyError otherwise).

    >>> confirmations_whole([0.0, 0.1, 0.4, 0.5], ONE_PER_MILLE).tolist()
    [1, 6, 133, 65535]
    """
    share = as_shares(attacker_share)
    constants = _inverted(risk)
    open_ = (share > constants.shares[-1]) & (share < 0.5)
    inside = np.where(open_, share, 0.25)
    y = 0.25 + constants.w / -np.log(4.0 * inside * (1.0 - inside))
    beyond = np.floor(y - np.polynomial.polynomial.polyval(1.0 / y, constants.kappa) / y) + 1.0
    few = np.searchsorted(constants.shares, share, side="right") + 1
    whole = np.where(share < 0.5, np.where(share < constants.shares[-1], few, np.minimum(beyond, NO_NUMBER)), NO_NUMBER)
    return whole.astype(np.uint16)


def confirmations_sql(risk: float) -> str:
    """The same over the SQL terms `largest` (a share) and `race` (−ln 4q(1 − q) of it): UInt16, 0 where `n` is 0."""
    constants = _inverted(risk)
    table = ", ".join(f"{value!r}" for value in constants.shares)
    y = f"(0.25 + {constants.w!r} / race)"
    k0, k1, k2, k3 = constants.kappa
    kappa = f"({k0!r} + ({k1!r} + ({k2!r} + {k3!r} / {y}) / {y}) / {y})"
    return (
        f"toUInt16(multiIf(n = 0, 0, largest >= 0.5, {NO_NUMBER}, largest < {constants.shares[-1]!r}, "
        f"arrayCount(line -> line <= largest, [{table}]) + 1, least(floor({y} - {kappa} / {y}) + 1, {NO_NUMBER})))"
    )
