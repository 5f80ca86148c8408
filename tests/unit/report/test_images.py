"""The pictures in the README are drawings of the report's own marks: current, whole and small."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from ingest.blocks.sources.simulated import Bin, MonthOfBins
from tests.unit.report.made import parsed

ROOT = Path(__file__).resolve().parents[3]
IMAGES = sorted((ROOT / "docs" / "img").glob("*.svg"))
CHART = runpy.run_path(str(ROOT / "scripts" / "top4_chart.py"))


def test_the_chart_is_what_its_script_draws() -> None:
    stored = (ROOT / "docs" / "img" / "top4.svg").read_text(encoding="utf-8")
    assert CHART["draw"]() == stored, "run `python scripts/top4_chart.py`"


def test_unknown_is_none_of_the_four() -> None:
    month = MonthOfBins(
        "2025-01",
        (Bin(1, 0, 1, {"unknown": 49, "a": 20}), Bin(70, 1, 2, {"unknown": 1, "b": 15, "c": 10, "d": 4, "e": 1})),
    )
    assert CHART["top4_share"](month) == 49 / 100


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_is_whole_small_and_needs_nothing(image: Path) -> None:
    text = image.read_text(encoding="utf-8")
    assert len(text.encode()) < 150_000
    assert "<script" not in text
    assert text.count("http") == text.count('xmlns="http://www.w3.org/2000/svg"')
    assert parsed(text).get("role") == "img"
