"""How likely a payment is undone after it was confirmed, against an attacker with a given part of the hashrate.

Rosenfeld's model counts the attacker's progress exactly (negative binomial) for one who starts even with the chain. The whitepaper's
approximates it by a Poisson distribution, which understates the small risks that people wait for.
The attacker mines in secret from the moment of the payment and never gives up; what the attack costs is not part of the model.

References: S. Nakamoto, "Bitcoin: A Peer-to-Peer Electronic Cash System" (2008), section 11; M. Rosenfeld, "Analysis of
Hashrate-Based Double Spending", arXiv:1402.2009; C. Grunspan and R. Pérez-Marco, "Double Spend Races", arXiv:1702.02867.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.risk.checked_shares import FloatArray, as_probability, as_shares
from counterpoise.special_functions import special


def rosenfeld_risk(attacker_share: ArrayLike, confirmations: ArrayLike) -> FloatArray:
    """Probability in [0, 1] that the payment is undone after n confirmations; 1 from one half on and for n = 0.

    Rosenfeld: 1 − Σ_{m=0}^{n} C(m+n−1, m)(pⁿqᵐ − pᵐqⁿ). Grunspan and Pérez-Marco show that this equals I_{4pq}(n, ½), the
    regularised incomplete beta function, which loses no digits where the risk is small. Shares and confirmations broadcast.

    ValueError for a share outside [0, 1] or confirmations < 0.

    >>> rosenfeld_risk(0.3, [0, 6]).round(3).tolist()
    [1.0, 0.156]
    """
    q, n = np.broadcast_arrays(as_shares(attacker_share), np.asarray(confirmations, np.float64))
    if not np.all(n >= 0):
        raise ValueError(f"confirmations must not be negative, got {n.min()}")
    waits = n > 0
    risk = special().betainc(np.where(waits, n, 1.0), 0.5, 4.0 * q * (1.0 - q))
    return np.where(waits & (q < 0.5), risk, 1.0)


def confirmations_needed(attacker_share: ArrayLike, risk: float = 0.001) -> FloatArray:
    """The fewest confirmations with `rosenfeld_risk` below `risk`: whole numbers from 1 on, inf where no number suffices.

    No number suffices from one half of the hashrate on. NaN is refused as every share outside [0, 1]; ValueError for a risk that
    is not between 0 and 1.

    >>> confirmations_needed([0.1, 0.3, 0.5]).tolist()
    [6.0, 32.0, inf]
    """
    q = as_shares(attacker_share)
    line = as_probability(risk)
    below_half = q < 0.5
    share = np.where(below_half, q, 0.25)
    # Risk never rises with confirmations: double until it is enough, then halve the interval, all shares at once.
    enough: FloatArray = np.ones(share.shape)
    while np.any(open_ := rosenfeld_risk(share, enough) >= line):
        enough = np.where(open_, 2.0 * enough, enough)
    too_few = np.floor(enough / 2.0)
    while np.any(enough - too_few > 1.0):
        middle = np.floor((enough + too_few) / 2.0)
        safe = rosenfeld_risk(share, middle) < line
        wide = enough - too_few > 1.0
        enough, too_few = np.where(wide & safe, middle, enough), np.where(wide & ~safe, middle, too_few)
    return np.where(below_half, enough, np.inf)


def expected_loss(amount: ArrayLike, attacker_share: ArrayLike, confirmations: ArrayLike) -> FloatArray:
    """amount × `rosenfeld_risk`, in the unit of `amount`: what the payee loses on average against this attacker.

    >>> float(expected_loss(1_000_000, 0.1, 6).round())
    591.0
    """
    loss: FloatArray = np.asarray(amount, np.float64) * rosenfeld_risk(attacker_share, confirmations)
    return loss


def confirmations_for_loss(amount: float, max_expected_loss: float, attacker_share: ArrayLike) -> FloatArray:
    """The fewest confirmations with an expected loss below `max_expected_loss`: 0 where the amount itself is not above it.

    inf where no number suffices. ValueError for an amount or a loss that is not above 0.

    >>> confirmations_for_loss(10_000_000, 1_000, [0.1, 0.3161, 0.5]).tolist()
    [8.0, 53.0, inf]
    """
    if not (0.0 < amount < math.inf and 0.0 < max_expected_loss < math.inf):
        raise ValueError(f"amount and largest loss are above 0, got {amount} and {max_expected_loss}")
    shares = as_shares(attacker_share)
    if amount <= max_expected_loss:
        return np.zeros(shares.shape)
    return confirmations_needed(shares, max_expected_loss / amount)
