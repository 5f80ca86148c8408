"""Every e-detector that is stored at each height, and how many blocks at once change the states. Pure.

A block is 1 where its producer is among the leaders of the window *before* it, else 0. The set is then known before the block is
found, so a drift of the leaders cannot break the promise. While the share is at most the line, each likelihood ratio

    L = p₁/line for 1, (1 − p₁)/(1 − line) for 0

has an expectation of at most 1. The state of each alternative p₁ is M ← L·(M + 1), and the alarm is where the mean of the states
reaches the promise in blocks. The expected number of blocks to a false alarm is then at least that. Unknown blocks count against the
signal: 0 above, 1 below.

Reference: J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", arXiv:2203.03532.

A *track* is one detector in one view under one promise. It runs its firing form until it fires, then its clearing form until it
clears, each from a state of zero. The state becomes L·(M + 1) in each block (for HHI in each eighth), so that after t blocks

    M = P(t)·(M₀ + Σ 1/P(s − 1)),   P(t) the product of the ratios L

which numpy takes for all tracks together. A state is always taken from the end of the bucket before, so how blocks are cut into calls
has no influence on any bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.windows import VIEWS, View

FloatArray = NDArray[np.float64]

BLOCKS_PER_YEAR: Final = 52_560
ABOVE: Final = (0.77, 0.79, 0.81, 0.84)
"""Alternatives above 75 %; a share between two of them is found almost as fast as either."""
BELOW: Final = (0.73, 0.71, 0.69, 0.66)
PROMISES_YEARS: Final = (1, 5, 10)
"""Expected time between false alarms, in years of `BLOCKS_PER_YEAR` blocks: a chain with faster blocks gets there sooner."""
LEADERS_WINDOW_BLOCKS: Final = 2_016
"""The leaders of a block are those of this many blocks before it; a chain's first full window of them starts the detectors."""
ALTERNATIVES: Final = 4
"""Weights of a track: alternatives, times candidates where it has several."""
HHI_GROUP_BLOCKS: Final = 8
"""Blocks whose pairs are one observation for HHI. Groups end at heights h with (h + 1) divisible by it."""


@dataclass(frozen=True)
class Detector:
    """One detector: its line; (rank, share) for each alternative that fires and that clears; blocks of one step of its state.

    `about` is what it fires on, as in "the detector of …", and `metric` is the metric that its line is on. Its representation
    leaves out both: scores rest on the numbers alone.

    A rank r ≥ 1 is the pool that was r-th in the window before; rank 0 is the four largest together. For HHI the second number is a
    stake λ, and the ratio is 1 ± λ(U − line).
    """

    name: str
    about: str = field(repr=False)
    metric: str = field(repr=False)
    line: float
    fires: tuple[tuple[int, float], ...]
    clears: tuple[tuple[int, float], ...]
    step_blocks: int = 1

    def __post_init__(self) -> None:
        if len(self.fires) != ALTERNATIVES or len(self.clears) != ALTERNATIVES:
            raise ValueError(f"{self.name}: a detector has {ALTERNATIVES} alternatives on each side")


def _each(rank: int, shares: tuple[float, ...]) -> tuple[tuple[int, float], ...]:
    return tuple((rank, share) for share in shares)


HHI: Final = "hhi_above_1800"

DETECTORS: Final = (
    Detector("top4_above_75", "the top 4 above 75 %", "top4_share", 0.75, _each(0, ABOVE), _each(0, BELOW)),
    # At most two pools hold more than a third, and at most one holds more than half.
    Detector(
        "any_above_one_third",
        "any share above one third",
        "top1_share",
        1 / 3,
        (*_each(1, (0.36, 0.42)), *_each(2, (0.36, 0.42))),
        _each(1, (0.31, 0.28, 0.24, 0.20)),
    ),
    Detector(
        "any_above_one_half",
        "any share above one half",
        "top1_share",
        0.5,
        _each(1, (0.52, 0.55, 0.60, 0.68)),
        _each(1, (0.48, 0.45, 0.40, 0.32)),
    ),
    Detector(
        HHI,
        "HHI above 1,800 points",
        "hhi",
        0.18,
        _each(0, (1.0, 2.0, 3.5, 5.0)),
        _each(0, (0.3, 0.6, 0.9, 1.2)),
        step_blocks=HHI_GROUP_BLOCKS,
    ),
)
DETECTOR_OF: Final[Mapping[str, Detector]] = MappingProxyType({one.name: one for one in DETECTORS})
"""Each detector by its name."""
TRACKS: Final = len(VIEWS) * len(DETECTORS) * len(PROMISES_YEARS)
"""In the order of views, detectors, promises; the place of a track is its bit in the mask of those that fire."""


def track_of(view: View, detector: str, promise_years: int) -> int:
    """The place of a track. ValueError for a detector or promise that is not stored."""
    names = [one.name for one in DETECTORS]
    of_view = VIEWS.index(view) * len(DETECTORS) + names.index(detector)
    return of_view * len(PROMISES_YEARS) + PROMISES_YEARS.index(promise_years)


_STEPS: Final = np.array([detector.step_blocks for detector in DETECTORS], np.float64)
STEP_OF_TRACK: Final[FloatArray] = np.tile(np.repeat(_STEPS, len(PROMISES_YEARS)), len(VIEWS))
PROMISED_BLOCKS: Final[FloatArray] = np.tile(
    np.array(PROMISES_YEARS, np.float64) * BLOCKS_PER_YEAR, len(VIEWS) * len(DETECTORS)
)
_THRESHOLD: Final = PROMISED_BLOCKS / STEP_OF_TRACK


@dataclass(frozen=True)
class TrackState:
    """The state after a block: `weights` (TRACKS, ALTERNATIVES) of the form that runs, and which tracks are firing."""

    weights: FloatArray
    firing: NDArray[np.bool_]

    @classmethod
    def start(cls) -> TrackState:
        """Before the first block."""
        return cls(np.zeros((TRACKS, ALTERNATIVES)), np.zeros(TRACKS, np.bool_))


@dataclass(frozen=True)
class Observed:
    """What T blocks show of V views.

    `rank` (V, T): the place of the block's pool among the four leaders before it, 1…4; 0 for none of them, −1 for an unknown one.
    `pairs`, `pairs_upper` (V, T): the chance that two blocks of the group are by one pool, with unknown blocks as single ones and as
    the largest's; NaN where no group ends. `from_place`: the blocks before it come before the detectors start.
    """

    rank: NDArray[np.int8]
    pairs: FloatArray
    pairs_upper: FloatArray
    from_place: int = 0


def ratios(seen: Observed) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(T, V, D, A) likelihood ratios of the firing and of the clearing form, and (T, V, D): 1 where a step is taken, else 0."""
    views, blocks = seen.rank.shape
    shape = (blocks, views, len(DETECTORS), ALTERNATIVES)
    fire, clear, steps = np.ones(shape), np.ones(shape), np.ones(shape[:3])
    rank = seen.rank.T
    for d, detector in enumerate(DETECTORS):
        if detector.name == HHI:
            for values, out, form, sign in (
                (seen.pairs, fire, detector.fires, 1.0),
                (seen.pairs_upper, clear, detector.clears, -1.0),
            ):
                ends = ~np.isnan(values.T)
                gain = sign * (np.where(ends, values.T, detector.line) - detector.line)
                out[:, :, d, :] = 1.0 + gain[:, :, None] * np.array([stake for _, stake in form])
                steps[:, :, d] = ends
            continue
        for form, out, unknown in ((detector.fires, fire, False), (detector.clears, clear, True)):
            for a, (place, share) in enumerate(form):
                hit = (rank > 0) if place == 0 else (rank == place)
                if unknown:
                    hit = hit | (rank < 0)
                one, zero = share / detector.line, (1.0 - share) / (1.0 - detector.line)
                out[:, :, d, a] = np.where(hit, one, zero)
    early = slice(0, min(seen.from_place, blocks))
    fire[early], clear[early], steps[early] = 1.0, 1.0, 0.0
    return fire, clear, steps


def advance(state: TrackState, seen: Observed) -> tuple[FloatArray, NDArray[np.bool_], TrackState]:
    """(T, TRACKS) evidence and firing after each block, and the state after the last.

    Evidence is the mean of the weights in blocks: an alarm is where it reaches the promise. At the block of an alarm it is the value
    that raised it, and the state behind it is zero.
    """
    fire, clear, steps = ratios(seen)
    each = len(PROMISES_YEARS)
    blocks = len(steps)
    flat = (blocks, TRACKS, ALTERNATIVES)
    forms = [np.repeat(form, each, axis=2).reshape(flat) for form in (fire, clear)]
    stepped = np.repeat(steps, each, axis=2).reshape(blocks, TRACKS)
    chosen = np.where(state.firing[None, :, None], forms[1], forms[0]) if state.firing.any() else forms[0]
    weights = _run(state.weights, chosen, stepped)
    mean = _mean(weights)
    firing = np.tile(state.firing, (blocks, 1))
    last = weights[-1].copy() if blocks else state.weights.copy()
    alarm = mean >= _THRESHOLD
    for track in np.flatnonzero(alarm.any(axis=0)):
        track_forms = [form[:, track : track + 1] for form in forms]
        _alarms(int(track), track_forms, stepped[:, track : track + 1], mean=mean, firing=firing, last=last)
    end = firing[-1].copy() if blocks else state.firing.copy()
    return mean * STEP_OF_TRACK, firing, TrackState(last, end)


def _alarms(
    track: int,
    forms: Sequence[FloatArray],
    stepped: FloatArray,
    *,
    mean: FloatArray,
    firing: NDArray[np.bool_],
    last: FloatArray,
) -> None:
    """Continue behind each alarm of one track with the other form from zero; writes into `mean`, `firing` and `last`.

    `forms` (T, 1, A) and `stepped` (T, 1) are the track's.
    """
    alarm, from_place, blocks = mean[:, track] >= _THRESHOLD[track], 0, len(mean)
    while alarm[from_place:].any():
        place = from_place + int(np.argmax(alarm[from_place:]))
        firing[place:, track] = not firing[place, track]
        from_place = place + 1
        last[track] = 0.0
        if from_place == blocks:
            return
        form = forms[int(firing[place, track])][from_place:]
        weights = _run(np.zeros((1, ALTERNATIVES)), form, stepped[from_place:])
        mean[from_place:, track] = _mean(weights)[:, 0]
        last[track] = weights[-1, 0]
        alarm = mean[:, track] >= _THRESHOLD[track]


def _run(start: FloatArray, ratio: FloatArray, stepped: FloatArray) -> FloatArray:
    """M after each block, for (T, K, A) ratios, (T, K) steps and (K, A) states before."""
    if not len(ratio):
        return np.zeros_like(ratio)
    product = np.cumprod(ratio, axis=0)
    added = np.empty_like(product)
    added[0] = stepped[0][:, None]
    added[1:] = stepped[1:, :, None] / product[:-1]
    np.cumsum(added, axis=0, out=added)
    added += start
    added *= product
    return added


def _mean(weights: FloatArray) -> FloatArray:
    # One order of addition, whatever the shape.
    total = ((weights[..., 0] + weights[..., 1]) + weights[..., 2]) + weights[..., 3]
    return np.asarray(total / ALTERNATIVES)
