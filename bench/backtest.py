"""A backtest of rules of type `when` on a file of blocks: reading and scoring it, one rule, and one cell of a grid.

    python -m bench.backtest --blocks FILE

The file is as `counterpoise rules backtest --blocks` takes it. Limits: 5 s for all, 50 ms for a cell.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from alerts.backtest import backtest
from alerts.rules.when import WhenRule
from bench.report import Figure, machine
from bench.side_by_side import add_against, compared
from desk.rule_history import RuleHistory

RULES = (
    {"when": {"signal": "hhi_10000"}, "fire": {"above": 2000}, "clear": {"below": 1900}, "for": 36},
    {"when": {"signal": "top4_share", "change_blocks": 1008}, "fire": {"above": 0.06}, "keep_firing_for": 36},
    {
        "when": {
            "all": [
                {"signal": "top4_share", "fire": {"above": 0.75}},
                {"signal": "unknown_share", "fire": {"below": 0.05}},
            ]
        }
    },
)
CELLS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=Path, required=True)
    add_against(parser)
    chosen = parser.parse_args()
    path: Path = chosen.blocks.resolve()
    if compared("backtest", chosen, [f"--blocks={path}"]):
        return
    print(f"{machine()}\n\n| what | measured | against | ratio |\n|---|---|---|---|")
    for fields in RULES:
        rule = WhenRule.model_validate({"id": "bench", **fields})
        begun = time.perf_counter()
        series = RuleHistory(path, [rule.window_blocks]).series(rule)
        backtest(rule, series)
        print(Figure(rule.condition(), time.perf_counter() - begun, "s", 5.0).line())
        cells = []
        for hold in range(CELLS):
            cell = rule.varied(hold=hold)
            assert cell is not None
            begun = time.perf_counter()
            backtest(cell, series)
            cells.append(time.perf_counter() - begun)
        print(Figure("one cell of a grid, median", 1000 * statistics.median(cells), "ms", 50.0).line())


if __name__ == "__main__":
    main()
