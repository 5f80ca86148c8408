"""`confirmations_needed` in closed form, in numpy and as an SQL expression, for the risks that have a metric.

ClickHouse has no incomplete beta function. Up to TABLE_CONFIRMATIONS the answer is a look-up of the shares at which n
confirmations leave the risk. Beyond, Temme's uniform expansion of I_x(n, ½) inverts: with w = erfc⁻¹(risk)² and
y = ¼ + w / −ln 4q(1 − q), the real number of confirmations is y − κ(1/y)/y. κ is a cubic polynomial, fitted to the exact
function from 8 confirmations on (largest error 1.3e-6). A test compares every share of every window with the exact number.

Reference: N. M. Temme, "Special Functions" (1996), 11.3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.risk.checked_shares import as_shares

NO_NUMBER: Final = 65_535
"""Stands for "as many or more, or no number suffices" where a column is UInt16: larger than every answer below it."""

ONE_PERCENT: Final = 0.01
ONE_PER_MILLE: Final = 0.001
ONE_IN_100_000: Final = 0.00001

TABLE_CONFIRMATIONS: Final = 12


@dataclass(frozen=True, slots=True)
class Inverted:
    """The constants of one risk, to 12 digits: generated SQL then does not depend on the last bits of a library.

    `w` is erfc⁻¹(risk)², `kappa` are κ's coefficients by powers of 1/y, and `shares[n − 1]` is the share at which n
    confirmations leave the risk.
    """

    w: float
    kappa: tuple[float, ...]
    shares: tuple[float, ...]


INVERTED: Final = {
    ONE_PERCENT: Inverted(
        3.31744830051,
        (0.1003635, 0.02509562, -0.01575142, -0.01264424),
        (
            0.005,
            0.041400150716,
            0.0828291872015,
            0.117703751669,
            0.146056224335,
            0.169312197875,
            0.188704634736,
            0.205142775797,
            0.219282297922,
            0.231600188619,
            0.242449414502,
            0.252096076062,
        ),
    ),
    ONE_PER_MILLE: Inverted(
        5.41378308533,
        (0.1440371, 0.03602844, -0.04938611, -0.03074358),
        (
            0.0005,
            0.012966106086,
            0.0375479006719,
            0.0639424215971,
            0.0883475826625,
            0.110000787323,
            0.129033027792,
            0.145785719155,
            0.160609468644,
            0.173810920517,
            0.185644959171,
            0.196319961364,
        ),
    ),
    ONE_IN_100_000: Inverted(
        9.75571048233,
        (0.2344931, 0.05883352, -0.2324991, -0.06044556),
        (
            5e-06,
            0.0012915506028,
            0.00796878133282,
            0.0196738490151,
            0.0338571889974,
            0.0487304700694,
            0.0633601818641,
            0.0773181161125,
            0.0904380854963,
            0.10268362108,
            0.114079993554,
            0.124679748181,
        ),
    ),
}
"""By risk, as numbers, because SciPy takes longer to import than all metrics. A test computes `w` and `shares` again."""


def confirmations_whole(attacker_share: ArrayLike, risk: float) -> NDArray[np.uint16]:
    """`confirmations_needed` as whole numbers from 1 to NO_NUMBER, for a risk that has a metric (KeyError otherwise).

    >>> confirmations_whole([0.0, 0.1, 0.4, 0.5], ONE_PER_MILLE).tolist()
    [1, 6, 133, 65535]
    """
    share = as_shares(attacker_share)
    constants = INVERTED[risk]
    open_ = (share > constants.shares[-1]) & (share < 0.5)
    inside = np.where(open_, share, 0.25)
    y = 0.25 + constants.w / -np.log(4.0 * inside * (1.0 - inside))
    beyond = np.floor(y - np.polynomial.polynomial.polyval(1.0 / y, constants.kappa) / y) + 1.0
    few = np.searchsorted(constants.shares, share, side="right") + 1
    whole = np.where(share < 0.5, np.where(share < constants.shares[-1], few, np.minimum(beyond, NO_NUMBER)), NO_NUMBER)
    return whole.astype(np.uint16)


def confirmations_sql(risk: float) -> str:
    """The same over the SQL terms `largest` (a share) and `race` (−ln 4q(1 − q) of it): UInt16, 0 where `n` is 0."""
    constants = INVERTED[risk]
    table = ", ".join(f"{value!r}" for value in constants.shares)
    y = f"(0.25 + {constants.w!r} / race)"
    k0, k1, k2, k3 = constants.kappa
    kappa = f"({k0!r} + ({k1!r} + ({k2!r} + {k3!r} / {y}) / {y}) / {y})"
    return (
        f"toUInt16(multiIf(n = 0, 0, largest >= 0.5, {NO_NUMBER}, largest < {constants.shares[-1]!r}, "
        f"arrayCount(line -> line <= largest, [{table}]) + 1, least(floor({y} - {kappa} / {y}) + 1, {NO_NUMBER})))"
    )
