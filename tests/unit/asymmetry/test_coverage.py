"""The table of coverage that docs/methodology-ai.md shows is the one that its command prints."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from counterpoise.metrics.asymmetry import mining_log2_d2_draws
from counterpoise.metrics.dispersion_draws import interval
from counterpoise.metrics.hhi_interval import d2_interval

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_script", ROOT / "scripts" / "mining_interval_coverage.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def test_the_documented_table_is_current(script: ModuleType) -> None:
    assert script.SIMULATIONS == 10_000
    assert script.table() in (ROOT / "docs" / "methodology-ai.md").read_text(encoding="utf-8")


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
        closed = [float(end) for end in d2_interval((counts**2).sum(), (counts**3).sum(), known, pools)]
        drawn = [2.0**end for end in interval(mining_log2_d2_draws(counts, key=(month,)))]
        assert drawn == pytest.approx(closed, abs=0.15 * (closed[1] - closed[0]) / 3.92)
