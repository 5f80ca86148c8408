"""The demo's alerts come as close to the real ones as docs/sources.md states."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest

from ingest.blocks.sources.simulated import SEED, read_figures
from tests.shared import shared_data

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_alerts", ROOT / "scripts" / "demo_alerts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def documented() -> str:
    return (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")


def table() -> list[list[str]]:
    """Cells of the documented table: the real transition, the demo's distance, the seeds' median and worst, how many are near."""
    lines = [line for line in documented().splitlines() if re.match(r"\| [\d,]+ (fires|clears) \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_real_alerts_are_those_of_the_real_blocks(script: ModuleType) -> None:
    blocks = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet")).sort_by("height")
    assert script.alerts_of(blocks["pool_slug"].to_pylist(), 664_063) == script.REAL


def test_the_documented_table_names_every_real_transition(script: ModuleType) -> None:
    transitions = [
        f"{height:,} {kind}" for real in script.REAL for height, kind in zip(real, ("fires", "clears"), strict=True)
    ]
    assert [row[0] for row in table()] == transitions


def test_the_demo_is_as_close_as_documented(script: ModuleType) -> None:
    figures = read_figures()
    drawn = script.drawn_alerts(figures, SEED)
    found = script.distances(drawn)
    assert [f"{distance:,}" for distance in found] == [row[1] for row in table()]
    prose = " ".join(documented().split())
    assert f"The demo fires {len(drawn)} times" in prose
    assert f"agrees at {100 * script.agreement(drawn, figures):.2f} % of heights" in prose
    # Not only what is written: the first firing, the last and the clearing of the last come within two bins.
    assert max(found[0], found[14], found[15]) <= script.NEAR_BLOCKS


@pytest.mark.parametrize("seed", [0, 7, 19])
def test_other_seeds_stay_within_the_documented_bounds(script: ModuleType, seed: int) -> None:
    # All of them take ten seconds: by the command.
    figures = read_figures()
    assert seed in script.SEEDS
    drawn = script.drawn_alerts(figures, seed)
    assert 7 <= len(drawn) <= 13
    assert script.agreement(drawn, figures) >= 0.985
    for distance, row in zip(script.distances(drawn), table(), strict=True):
        assert distance <= int(row[3].replace(",", "")), row


def test_a_chain_is_as_far_from_the_real_one_as_counted_by_hand(script: ModuleType) -> None:
    real = list(script.REAL)
    assert script.distances(real) == [0] * 16
    assert script.agreement(real, read_figures()) == 1
    moved = [(real[0][0] + 5, real[0][1] - 7), *real[2:]]  # the second alert is missing
    # 767,676 is nearest to 771,044, and 770,283 to 764,683.
    assert script.distances(moved)[:5] == [5, 7, 3_368, 5_600, 0]
    differing = 5 + 7 + (770_283 - 767_676)
    assert script.agreement(moved, read_figures()) == pytest.approx(1 - differing / 282_174, abs=1e-12)
