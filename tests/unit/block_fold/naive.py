"""The fold once more in plain Python, one block and one window at a time: slow, obvious, and independent of numpy."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any


def score(
    pool_codes: Sequence[int],
    times: Sequence[int],
    start: int,
    boundaries: Sequence[int],
    entity_codes: Sequence[Sequence[int]],
    *,
    windows: Sequence[int],
) -> list[dict[str, Any]]:
    """The rows of `streams.blocks.fold.concentration.score_blocks` without the intervals, as dicts, in the same order."""
    rows = []
    for view in (0, 1):
        for window in windows:
            for tip in range(start, len(pool_codes)):
                blocks = list(pool_codes[max(0, tip + 1 - window) : tip + 1])
                if view == 1:
                    mapping = entity_codes[bisect_right(boundaries, times[tip])]
                    blocks = [mapping[code] for code in blocks]
                rows.append(
                    {"view_code": view, "window_blocks": window, "index": tip - start, **integers(blocks, window)}
                )
    return rows


def integers(blocks: Sequence[int], window: int) -> dict[str, Any]:
    counts = Counter(code for code in blocks if code != 0)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ordered = [count for _, count in ranked]
    padded = (ranked + [(0, 0)] * 6)[:6]
    n = len(blocks)
    return {
        "n": n,
        "unknown": n - sum(ordered),
        "window_full": n == window,
        "pools_seen": len(ordered),
        **{f"c{i + 1}": count for i, (_, count) in enumerate(padded)},
        **{f"l{i + 1}": code for i, (code, _) in enumerate(padded)},
        "s2": sum(c**2 for c in ordered),
        "s3": sum(c**3 for c in ordered),
        "s4": sum(c**4 for c in ordered),
        "gini_num": sum(abs(a - b) for a in ordered for b in ordered) // 2,
        "sum_c_ln_c": math.fsum(c * math.log(c) for c in ordered),
        "nakamoto_one_third": _nakamoto(ordered, n, 1, 3),
        "nakamoto_half": _nakamoto(ordered, n, 1, 2),
    }


def _nakamoto(ordered: Sequence[int], n: int, numerator: int, denominator: int) -> int:
    for k in range(1, len(ordered) + 1):
        if denominator * sum(ordered[:k]) > numerator * n:
            return k
    return 0
