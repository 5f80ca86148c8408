"""docs/studies.md is what its command writes: the quick tables are made again, the page is whole."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from counterpoise.detectors.e_detector import BLOCKS_PER_YEAR, EDetector

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def studies() -> ModuleType:
    spec = importlib.util.spec_from_file_location("studies", ROOT / "scripts" / "studies.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def figures(text: str) -> list[float]:
    return [float(figure.replace(",", "")) for figure in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)]


def shown(name: str) -> str:
    match = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- {name} end -->", PAGE, re.DOTALL)
    assert match is not None, f"the page has no table {name}"
    return match[1]


def test_the_page_has_every_table(studies: ModuleType) -> None:
    kept = {name: shown(name).splitlines() for name in studies.TEXT}
    assert studies.page(kept, PAGE) == PAGE


def test_the_coverage_of_hhi_is_current_and_what_is_promised(studies: ModuleType) -> None:
    # Releases of numpy round a draw's last bit in their own ways: within 0.11 points.
    found = "\n".join(studies.hhi_coverage())
    assert figures(shown("hhi")) == pytest.approx(figures(found), abs=0.11)
    for row in found.splitlines()[2:]:
        window, *coverage = figures(row.replace("₂", ""))
        worst, median = [coverage[0], coverage[3]], [coverage[1], coverage[4]]
        assert min(worst) >= (92.5 if window == 144 else 93.5) and all(94 <= value <= 96 for value in median), row


def test_a_delay_is_current(studies: ModuleType) -> None:
    found = studies.detector_runs(EDetector(blocks_promised=BLOCKS_PER_YEAR), 0.82, studies.RUNS, 20_000, 1)
    row = next(line for line in shown("delays").splitlines() if line.startswith("| 1 | 82 %"))
    assert figures(row)[2:5] == pytest.approx(np.quantile(found, [0.1, 0.5, 0.9]).tolist(), abs=1.0)


def test_the_real_fires_and_clears_alternate(studies: ModuleType) -> None:
    events = [row.split(" | ") for row in shown("real-detections").splitlines()[2:]]
    for years in ("1", "5", "10"):
        own = [event for promise, event, _ in events if promise.strip("| ") == years]
        assert own == ["fires", "clears"] * (len(own) // 2) + ["fires"] * (len(own) % 2) and own


def test_the_rule_fires_again_only_after_it_cleared(studies: ModuleType) -> None:
    over = np.array([1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1], bool)
    clear = np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], bool)
    # A hold of two: fires at place 2; clears at 3; fires at 6; never clears again.
    assert studies._firings(over, clear, hold=2) == 2
    assert studies._firings(over, np.zeros(12, bool), hold=2) == 1
    assert studies._firings(over, clear, hold=4) == 0
