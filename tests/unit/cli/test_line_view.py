"""What a replay prints where there is no terminal, and that its view fits into one."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alerts.signals.specs.signal_registry import SIGNALS
from desk.cli.console import Console
from desk.cli.line_view import AlertLine, LineMoment, LineView

NOON = datetime(2023, 1, 1, 12, tzinfo=UTC)


def moment(height: int) -> LineMoment:
    return LineMoment(height, NOON, 1008, 0, 0.7, 0.68, 0.72, 1500.0, 6.0, 3, 0.1, [("antpool", 300)])


def alert(height: int, state: str = "firing") -> AlertLine:
    return AlertLine((f"{height}", 1), NOON, state, "top4-share", height, 0.76, 0.73, 0.78, 0.75, "")


def heights(out: io.StringIO) -> list[int]:
    return [int(found) for found in re.findall(r"height (\d+)", out.getvalue())]


def test_lines_come_in_the_order_of_their_heights_though_the_alerter_is_behind() -> None:
    out = io.StringIO()
    with LineView(Console(file=out, width=80), 0, 1_000) as view:
        view.update(moment(100), [], 0)
        assert heights(out) == [], "the alerter may still have something to say of what came before"
        view.update(moment(300), [alert(50)], 60)
        assert heights(out) == [50]
        view.update(moment(305), [alert(50), alert(150, "resolved"), alert(250)], 200)
        assert heights(out) == [50, 100, 150]
        view.update(moment(900), [alert(50), alert(150, "resolved"), alert(250)], 900)
    assert heights(out) == [50, 100, 150, 250, 300, 900]
    assert "CLEARED" in out.getvalue()


@pytest.mark.parametrize(("width", "height", "shown"), [(80, 24, 5), (120, 24, 8), (40, 30, 3)])
def test_the_newest_alert_is_in_sight_whatever_the_terminal(width: int, height: int, shown: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    pools = [("foundry-usa", 300), ("antpool", 200), ("f2pool", 110), ("viabtc", 90), ("ocean", 80), ("luxor", 60)]
    lines = [replace(alert(760_000 + place), view="raw", window_blocks=1008) for place in range(12)]
    with LineView(console, 0, 1_000_000) as view:
        view.update(replace(moment(770_000), leaders=pools), lines, 770_000)
        out.truncate(0)
        view._live.refresh()  # type: ignore[union-attr]
        drawn = out.getvalue()
    assert [height for height in range(760_000, 760_012) if f"{height}" in drawn] == [*range(760_012 - shown, 760_012)]
    assert "..." not in drawn


def test_a_line_names_the_window_and_the_view_of_its_value() -> None:
    line = replace(alert(760_947), view="raw", window_blocks=1008)
    assert line.text().plain == (
        "2023-01-01 12:00  FIRING    top4-share  1008 blocks (raw)  76.00% [73.0%, 78.0%]  line 75%  height 760947"
    )
    month = replace(
        line, rule_id="hhi-band", metric="hhi_10000", view="entity", window_blocks=4320, low=None, high=None
    )
    assert replace(month, value=1_850.0, threshold=1_800.0).text().plain == (
        "2023-01-01 12:00  FIRING    hhi-band  4320 blocks (entity)  1,850  line 1,800  height 760947"
    )


def test_a_line_has_no_window_where_the_rule_judges_none() -> None:
    no_block = replace(alert(1), rule_id="no-block", value=7_300.0, threshold=7_200.0, summary="No block for 2 hours.")
    assert no_block.text().plain == "2023-01-01 12:00  FIRING    no-block  No block for 2 hours.  height 1"
    detector = replace(
        alert(1), metric="detector_top4_above_75_1y", view="entity", window_blocks=1008, low=None, high=None
    )
    assert "  top4-share  (entity)  " in detector.text().plain


def test_each_value_is_written_in_the_words_of_its_signal() -> None:
    def written(
        metric: str, value: float, threshold: float, low: float | None = None, high: float | None = None
    ) -> str:
        line = replace(alert(1), metric=metric, value=value, threshold=threshold, low=low, high=high)
        return line.text().plain.partition("top4-share  ")[2]

    assert written("top1_share", 0.34567, 1 / 3, 0.31, 0.38) == "34.57% [31.0%, 38.0%]  line 33.3333%  height 1"
    assert written("hhi_10000", 2_512.4, 2_500.0) == "2,512  line 2,500  height 1"
    assert written("hhi_10000 change 1008", -120.0, -100.0) == "-120  line -100  height 1"
    assert written("top4_share change 1008", 0.052, 0.05) == "+5.2 points  line 5 points  height 1"
    detector = written("detector_top4_above_75_1y", 1.0, 1.0)
    assert "%" not in detector and detector == f"{SIGNALS['detector_top4_above_75_1y'].format(1.0)}  height 1"


def test_a_line_as_json_has_what_its_text_has() -> None:
    found = replace(alert(760_947), view="raw", window_blocks=1008, low=math.nan, summary="Over.").as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "alert_id": "760947",
        "step": 1,
        "time": "2023-01-01T12:00:00Z",
        "state": "firing",
        "rule": "top4-share",
        "metric": None,
        "view": "raw",
        "window_blocks": 1008,
        "value": 0.76,
        "interval_low": None,
        "interval_high": 0.78,
        "threshold": 0.75,
        "height": 760_947,
        "summary": "Over.",
    }
    timer = alert(1).as_json()
    assert (timer["view"], timer["window_blocks"]) == (None, None)
