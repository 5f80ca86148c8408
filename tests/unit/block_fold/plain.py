"""Detectors and the moments of drift by their definitions, block by block: oracles that share no code with the fold."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from counterpoise.detectors.tracks import BLOCKS_PER_YEAR, DETECTORS, HHI, HHI_GROUP_BLOCKS, PROMISES_YEARS

W = 2_016


def states(
    codes: Sequence[int], first: int, view: int, owner_before: Callable[[int], Sequence[int]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Evidence and firing of one view, block by block with the recursion itself, from the first full window on.

    `owner_before`: the owner of each pool code by the map at the header time of the block before a place.
    """
    tracks = [(detector, years) for detector in DETECTORS for years in PROMISES_YEARS]
    state, on = [[0.0] * 4 for _ in tracks], [False] * len(tracks)
    evidence, firing = [], []
    window: deque[int] = deque(maxlen=W)
    for place, code in enumerate(codes):
        owner = owner_before(place)
        before = Counter(window)
        window.append(code)
        if place < W:
            continue
        counted: Counter[int] = Counter()
        for pool, blocks in before.items():
            if pool:
                counted[owner[pool] if view else pool] += blocks
        ranked = [pool for pool, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
        own = owner[code] if view else code
        height = first + place
        for t, (detector, years) in enumerate(tracks):
            form = detector.clears if on[t] else detector.fires
            if detector.name == HHI:
                if (height + 1) % HHI_GROUP_BLOCKS or height - HHI_GROUP_BLOCKS + 1 < first + W:
                    evidence_now = sum(state[t]) / 4 * detector.step_blocks
                else:
                    g = HHI_GROUP_BLOCKS
                    group = Counter(owner[c] if view else c for c in codes[place - g + 1 : place + 1])
                    unknown = group.pop(0, 0)
                    if on[t] and unknown:
                        best = max(group, key=lambda pool: group[pool]) if group else -1
                        group[best] += unknown
                    u = sum(c * (c - 1) for c in group.values()) / (g * (g - 1))
                    sign = -1 if on[t] else 1
                    state[t] = [
                        (1 + sign * stake * (u - detector.line)) * (m + 1)
                        for (_, stake), m in zip(form, state[t], strict=True)
                    ]
                    evidence_now = sum(state[t]) / 4 * g
            else:
                for a, (rank, share) in enumerate(form):
                    members = ranked[:4] if rank == 0 else ranked[rank - 1 : rank]
                    hit = own in members or (on[t] and code == 0)
                    ratio = share / detector.line if hit else (1 - share) / (1 - detector.line)
                    state[t][a] = ratio * (state[t][a] + 1)
                evidence_now = sum(state[t]) / 4
            if evidence_now >= years * BLOCKS_PER_YEAR:
                on[t], state[t] = not on[t], [0.0] * 4
            evidence.append(evidence_now)
            firing.append(on[t])
    shape = (len(codes) - W, len(tracks))
    return np.array(evidence).reshape(shape), np.array(firing).reshape(shape)


def hhi_and_variance(counts: Counter[int]) -> tuple[float, float]:
    """Over ordered pairs and triples of blocks, counted one by one."""
    m = sum(counts.values())
    pairs = sum(c * (c - 1) for c in counts.values()) / (W * (W - 1))
    triples = sum(c * (c - 1) * (c - 2) for c in counts.values()) / (W * (W - 1) * (W - 2))
    assert m <= W
    return pairs, 2 * (2 * (W - 2) * max(triples - pairs**2, 0) + pairs - pairs**2) / ((W - 2) * (W - 3))
