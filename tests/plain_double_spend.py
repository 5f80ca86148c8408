"""Double spends by the whitepaper's formula (section 11), and the inverse of Rosenfeld's in the share. `double_spend` is held against
both.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.risk.checked_shares import FloatArray, as_probability, as_shares
from counterpoise.special_functions import special


def whitepaper_success(attacker_share: float, confirmations: int) -> float:
    """Probability in [0, 1] that an attacker with `attacker_share` of the hashrate ever overtakes, after section 11.

    1 for a share of one half or more and for no confirmation. ValueError for a share outside [0, 1] or confirmations < 0.

    >>> round(whitepaper_success(0.1, 5), 7)
    0.0009137
    """
    q, z = float(as_shares(attacker_share)), confirmations
    if z < 0:
        raise ValueError(f"confirmations must not be negative, got {confirmations}")
    if q >= 0.5 or z == 0:
        return 1.0
    if q == 0.0:
        return 0.0
    p = 1.0 - q
    rate = z * q / p
    missed = []
    for k in range(z + 1):
        poisson = math.exp(k * math.log(rate) - rate - math.lgamma(k + 1))
        missed.append(poisson * -math.expm1((z - k) * math.log(q / p)))
    return min(1.0, max(0.0, 1.0 - math.fsum(missed)))


def whitepaper_confirmations(attacker_share: float, risk: float = 0.001) -> float:
    """As `confirmations_needed` for one share, by the whitepaper's formula: it leaves more risk than was asked for.

    >>> whitepaper_confirmations(0.1)
    5.0
    """
    line = as_probability(risk)
    if float(as_shares(attacker_share)) >= 0.5:
        return math.inf
    enough = 1
    while whitepaper_success(attacker_share, enough) >= line:
        enough += 1
    return float(enough)


def share_at_risk(confirmations: ArrayLike, risk: float) -> FloatArray:
    """The share in [0, ½] at which n confirmations leave exactly `risk`: the inverse of `rosenfeld_risk` in the share.

    >>> round(float(share_at_risk(6, 0.001)), 4)
    0.11
    """
    n = np.asarray(confirmations, np.float64)
    x = special().betaincinv(n, 0.5, as_probability(risk))
    share: FloatArray = x / (2.0 * (1.0 + np.sqrt(1.0 - x)))  # solves x = 4q(1 − q) without cancellation
    return share
