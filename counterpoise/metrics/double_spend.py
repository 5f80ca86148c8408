"""How likely a payment is undone after it was confirmed, against an attacker with a given part of the hashrate.

Two models. The whitepaper's approximates the attacker's progress by a Poisson distribution and understates the small
risks that people wait for; Rosenfeld's counts it exactly (negative binomial) for an attacker who starts even with the chain.

References: S. Nakamoto, "Bitcoin: A Peer-to-Peer Electronic Cash System" (2008), section 11; M. Rosenfeld, "Analysis of
Hashrate-Based Double Spending", arXiv:1402.2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def whitepaper_success(attacker_share: float, confirmations: int) -> float:
    """Probability in [0, 1] that an attacker with `attacker_share` of the hashrate ever overtakes, after section 11.

    1 for a share of one half or more and for no confirmation. ValueError for a share outside [0, 1] or confirmations < 0.

    >>> round(whitepaper_success(0.1, 5), 7)
    0.0009137
    """
    q, z = _checked(attacker_share, confirmations)
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


def rosenfeld_success(attacker_share: float, confirmations: int) -> float:
    """As `whitepaper_success`, exact for the model: 1 − Σ_{m=0}^{n} C(m+n−1, m)(pⁿqᵐ − pᵐqⁿ).

    >>> round(rosenfeld_success(0.3, 6), 3)
    0.156
    """
    q, n = _checked(attacker_share, confirmations)
    if q >= 0.5 or n == 0:
        return 1.0
    if q == 0.0:
        return 0.0
    p = 1.0 - q
    log_p, log_q = math.log(p), math.log(q)
    missed = []
    for m in range(n + 1):
        ways = math.lgamma(m + n) - math.lgamma(m + 1) - math.lgamma(n)
        missed.append(math.exp(ways + n * log_p + m * log_q) - math.exp(ways + m * log_p + n * log_q))
    return min(1.0, max(0.0, 1.0 - math.fsum(missed)))


def confirmations_needed(
    attacker_share: float, risk: float = 0.001, success: Callable[[float, int], float] = rosenfeld_success
) -> int:
    """The fewest confirmations with a probability of success below `risk`.

    ValueError for a share of one half or more (no number is enough) and a risk outside (0, 1].

    >>> confirmations_needed(0.1), confirmations_needed(0.1, success=whitepaper_success)
    (6, 5)
    """
    q, _ = _checked(attacker_share, 0)
    if q >= 0.5:
        raise ValueError(f"no number of confirmations is enough against a share of {attacker_share}")
    if not 0.0 < risk <= 1.0:
        raise ValueError(f"risk must be above 0 and at most 1, got {risk}")
    # Success never rises with confirmations: double until it is enough, then halve the interval.
    enough = 1
    while success(q, enough) >= risk:
        enough *= 2
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if success(q, middle) < risk:
            enough = middle
        else:
            too_few = middle
    return enough


def _checked(attacker_share: float, confirmations: int) -> tuple[float, int]:
    if not 0.0 <= attacker_share <= 1.0:
        raise ValueError(f"attacker_share is a part of the hashrate between 0 and 1, got {attacker_share}")
    if confirmations < 0:
        raise ValueError(f"confirmations must not be negative, got {confirmations}")
    return attacker_share, confirmations
