"""Runs of blocks by one producer, block by block: how long they were, and how probable by chance. The SQL is held against it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.risk.checked_shares import FloatArray, as_shares


def run_probability(share: ArrayLike, run_blocks: int, blocks: int) -> FloatArray:
    """Probability in [0, 1] of at least one run of `run_blocks` or more in a row among `blocks`, each its own with chance `share`.

    Exact, by the first run's place: P(n) = P(n − 1) + (1 − P(n − r − 1))·(1 − s)·sʳ, with P(r) = sʳ. Reference: W. Feller, "An
    Introduction to Probability Theory" I, XIII.7. ValueError for a run below 1 or a negative number of blocks.

    >>> float(run_probability(0.5, 2, 3))
    0.375
    """
    shares = as_shares(share)
    if run_blocks < 1 or blocks < 0:
        raise ValueError(f"a run has at least one block among 0 or more, got {run_blocks} among {blocks}")
    whole_run = shares**run_blocks
    found = np.zeros((blocks + 1, *shares.shape))
    for n in range(run_blocks, blocks + 1):
        before = found[n - run_blocks - 1] if n > run_blocks else 0.0
        step = whole_run if n == run_blocks else (1.0 - before) * (1.0 - shares) * whole_run
        found[n] = found[n - 1] + step
    probability: FloatArray = np.minimum(found[blocks], 1.0)
    return probability


def expected_runs(share: ArrayLike, run_blocks: int, blocks: int) -> FloatArray:
    """How many separate runs of `run_blocks` or more to expect among `blocks`: sʳ·(1 + (n − r)(1 − s)); 0 where n < r.

    >>> float(expected_runs(0.5, 2, 3))
    0.375
    """
    shares = as_shares(share)
    if blocks < run_blocks:
        return np.zeros(shares.shape)
    return np.asarray(shares**run_blocks * (1.0 + (blocks - run_blocks) * (1.0 - shares)))


def longest_runs(producers: NDArray[np.int64], producer: int) -> NDArray[np.int64]:
    """(R, 2): the last position and the length of each run of `producer` in `producers`.

    Longest first, and of equal ones the earlier first.
    """
    own = np.concatenate(([False], producers == producer, [False])).astype(np.int8)
    edges = np.diff(own)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lengths = ends - starts
    order = np.argsort(-lengths, kind="stable")
    return np.stack([ends[order] - 1, lengths[order]], axis=1).astype(np.int64)
