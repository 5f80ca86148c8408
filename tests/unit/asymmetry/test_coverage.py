"""The tables of coverage that docs/methodology-ai.md shows are those that their commands print."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from counterpoise.metrics.dispersion_draws import interval
from streams.asymmetry.fold.doublings import mining_log2_d2_draws

ROOT = Path(__file__).resolve().parents[3]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load("mining_interval_coverage")


def documented() -> str:
    return (ROOT / "docs" / "methodology-ai.md").read_text(encoding="utf-8")


def figures(text: str) -> list[float]:
    return [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", text)]


def without_figures(text: str) -> str:
    return re.sub(r"\d+(?:\.\d+)?", "#", text)


def assert_same_table(shown: str, found: str, points: float) -> None:
    """The same rows, and percentages within so many points: releases of numpy round a draw's last bit in their own ways."""
    assert without_figures(shown) == without_figures(found)
    assert figures(shown) == pytest.approx(figures(found), abs=points)


def test_the_documented_table_is_current(script: ModuleType) -> None:
    assert script.SIMULATIONS == 10_000
    lines = script.table().splitlines()
    text = documented().splitlines()
    start = text.index(lines[0])
    assert_same_table("\n".join(text[start : start + len(lines)]), "\n".join(lines), points=0.11)


def test_from_a_week_on_the_interval_holds_what_it_promises(script: ModuleType) -> None:
    for month in script.MONTHS:
        for window in (1008, 2016, 4320):
            cell = script.coverage(month, window)
            assert 0.93 <= cell.holds <= 0.96, cell
            assert cell.above <= 0.035, "the interval lies above the truth no more often than it should"


def test_the_drawn_interval_is_the_one_that_was_simulated(script: ModuleType) -> None:
    random = np.random.default_rng(7)
    for month in script.MONTHS:
        counts = random.multinomial(1008, script.true_shares(month))
        known, pools = int(counts.sum()), int((counts > 0).sum())
        closed = [float(end) for end in script.d2_interval((counts**2).sum(), (counts**3).sum(), known, pools)]
        drawn = [2.0**end for end in interval(mining_log2_d2_draws(counts, key=(month,)))]
        assert drawn == pytest.approx(closed, abs=0.15 * (closed[1] - closed[0]) / 3.92)


def test_the_interval_of_both_error_models_holds_the_score_whatever_the_correlation() -> None:
    script = load("ai_interval_coverage")
    assert script.SIMULATIONS == 2_000
    shown = [line for line in documented().splitlines() if re.match(r"\| 20\d\d-12-31 \| (0|0.5|1) \|", line)]
    assert len(shown) == len(script.QUARTERS) * len(script.CORRELATIONS)
    # All of them take a minute: by the command.
    assert_same_table(shown[-2], script.line("2025-12-31", 0.5), points=1.01)
    either = [float(share) for line in shown for share in re.findall(r"([\d.]+) % \(", line)]
    assert len(either) == 3 * len(shown)
    assert min(either) == 94.2, "as the text says"
