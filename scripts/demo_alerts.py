"""How close the demo's alerts come to the real ones: the default rule over blocks drawn with many seeds.

    python scripts/demo_alerts.py

For each real transition: the distance in blocks to the nearest transition of the same kind in a drawn chain, for the demo's seed and
for the seeds 0 to 19. A real transition without a counterpart shows as a large distance. Every run prints the same table.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from alerts.machine.rule_state import RuleState
from alerts.rules.top_share_rule import TopShareRule
from alerts.signals.window_counts import WindowCounts
from ingest.blocks.sources.simulated import SEED, Figures, draw, read_figures
from streams.blocks.fold.concentration import score_blocks

SEEDS = range(20)
NEAR_BLOCKS = 288
"""Two bins of the packaged table."""

Alert = tuple[int, int]
"""Heights of a firing and of its clearing."""

REAL: tuple[Alert, ...] = (
    (760_903, 764_690),
    (767_676, 770_283),
    (771_044, 789_041),
    (789_305, 798_294),
    (800_278, 805_762),
    (806_798, 883_434),
    (884_354, 889_802),
    (892_330, 894_647),
)
"""Alerts of the default rule on the real blocks 664,063 to 946,236."""


@dataclass(frozen=True, slots=True)
class NoOwners:
    """An entity map in which every pool stands alone."""

    boundaries: NDArray[np.int64]
    codes: NDArray[np.uint16]


def alerts_of(labels: Sequence[str], first_height: int) -> tuple[Alert, ...]:
    """Alerts of the default rule on consecutive blocks with these pools, by the fold and the rule of the product.

    ValueError where one still fires at the last block.
    """
    # Place 0 is the fold's code of blocks without a known producer.
    names = ("unknown", *sorted(set(labels) - {"unknown"}))
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([code_of[label] for label in labels], np.uint16)
    rule = TopShareRule(id="top4-share")
    alone = NoOwners(np.zeros(0, np.int64), np.arange(len(names), dtype=np.uint16)[None, :])
    table = score_blocks(codes, np.zeros(len(codes), np.int64), 0, alone, (rule.window_blocks,))
    raw = {name: column[table.view_code == 0] for name, column in table.columns().items()}
    series = WindowCounts.of(
        height=first_height + np.arange(len(codes)),
        tip_hash=[""] * len(codes),
        time=np.zeros(len(codes)),
        counts=np.stack([raw[f"c{rank}"] for rank in range(1, 7)], axis=1),
        leaders=np.stack([raw[f"l{rank}"] for rank in range(1, 7)], axis=1),
        names=names,
        **{name: raw[name] for name in ("n", "unknown", "window_full", "pools_seen", "p_top4_above_75")},
    )
    steps = RuleState(rule.id, rule.rule_hash, "bitcoin", rule.for_blocks).extend(series, rule.levels(series))
    fired, cleared = ([step.height for step in steps if step.state == state] for state in ("firing", "resolved"))
    return tuple(zip(fired, cleared, strict=True))


def drawn_alerts(figures: Figures, seed: int) -> tuple[Alert, ...]:
    """The same of the blocks that a seed draws from the figures."""
    labels = [pool for month in figures.months for one in month.bins for pool in draw(one, seed)]
    return alerts_of(labels, figures.first_height)


def distances(drawn: Sequence[Alert]) -> list[int]:
    """Blocks between each real transition, in order, and the nearest drawn one of its kind; ValueError without any."""
    return [min(abs(real[kind] - one[kind]) for one in drawn) for real in REAL for kind in (0, 1)]


def agreement(drawn: Sequence[Alert], figures: Figures) -> float:
    """Share of heights at which the drawn chain and the real one agree whether the alert fires."""
    states = []
    for alerts in (drawn, REAL):
        fires = np.zeros(figures.last_height - figures.first_height + 1, np.bool_)
        for fired, cleared in alerts:
            fires[fired - figures.first_height : cleared - figures.first_height] = True
        states.append(fires)
    return float((states[0] == states[1]).mean())


def row(height: int, fires: bool, demo: int, others: Sequence[int]) -> str:
    """A line of the table."""
    near = sum(distance <= NEAR_BLOCKS for distance in others)
    kind = "fires" if fires else "clears"
    return f"| {height:,} {kind} | {demo:,} | {median(others):,.0f} | {max(others):,} | {near} of {len(others)} |"


def report() -> str:
    """The table of docs/sources.md, and the lines under it."""
    figures = read_figures()
    demo, others = drawn_alerts(figures, SEED), [drawn_alerts(figures, seed) for seed in SEEDS]
    far = [distances(one) for one in (demo, *others)]
    lines = [
        f"| real transition | demo | median of {len(others)} seeds | worst | within {NEAR_BLOCKS} blocks |",
        "|---|---|---|---|---|",
    ]
    transitions = [(height, not at) for real in REAL for at, height in enumerate(real)]
    for at, (height, fires) in enumerate(transitions):
        lines.append(row(height, fires, far[0][at], [one[at] for one in far[1:]]))
    alerts = [len(one) for one in others]
    agreements = [agreement(one, figures) for one in others]
    every = [distance for one in far[1:] for distance in one]
    return "\n".join(
        [
            *lines,
            "",
            f"alerts: real {len(REAL)}, demo {len(demo)}, seeds {min(alerts)} to {max(alerts)}, median {median(alerts):g}",
            f"same state at: demo {agreement(demo, figures):.2%} of heights, seeds {min(agreements):.2%} to {max(agreements):.2%}, "
            f"median {median(agreements):.2%}",
            f"distance over all transitions: demo median {median(far[0]):g}, worst {max(far[0]):,}; seeds median {median(every):g}, "
            f"worst {max(every):,}, within {NEAR_BLOCKS} blocks {sum(one <= NEAR_BLOCKS for one in every) / len(every):.1%}",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
