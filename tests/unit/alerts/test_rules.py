"""What each type of rule says of values whose answer is known by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from alerts.machine.machine import NOWHERE, advance_many
from alerts.machine.rule_state import RuleState
from alerts.rules.dead_letters_rule import DeadLettersRule
from alerts.rules.no_block_rule import NoBlockRule
from alerts.rules.no_score_rule import NoScoreRule
from alerts.rules.rule import Finding, parse_duration
from alerts.rules.source_stale_rule import SourceStaleRule
from alerts.rules.top_share_probability_rule import TopShareProbabilityRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.signals.levels import Level
from alerts.signals.timer_facts import TimerFacts
from alerts.signals.window_counts import WindowCounts
from counterpoise.spans import exact_span
from tests.shared import shared_data
from tests.unit.alerts.chains import a_hash, a_series


def test_top_share_is_strict_on_both_lines_in_integers() -> None:
    # 756/1008 is 75 % exactly; 0.73 · 1008 = 735.84.
    series = a_series([757, 756, 736, 735])
    assert TopShareRule(id="a").levels(series).tolist() == [Level.OVER, Level.BETWEEN, Level.BETWEEN, Level.CLEAR]


def test_unknown_blocks_make_it_possible_but_never_fire() -> None:
    series = a_series([700, 740, 740, 740], unknown=[57, 16, 17, 300])  # 757, 756, 757, 1040 of 1008
    assert TopShareRule(id="a").levels(series).tolist() == [
        Level.CLEAR_POSSIBLE,
        Level.BETWEEN,
        Level.BETWEEN_POSSIBLE,
        Level.BETWEEN_POSSIBLE,
    ]


def test_a_window_that_is_not_full_is_not_judged() -> None:
    assert TopShareRule(id="a").levels(a_series([900, 1000], n=[1007, 1008])).tolist() == [Level.BLIND, Level.OVER]


def test_a_reading_has_both_bounds_and_an_interval_around_the_value() -> None:
    reading = TopShareRule(id="a").reading(a_series([757], unknown=50), 0)
    assert reading.value == reading.low == 757 / 1008
    assert reading.high == 807 / 1008
    assert reading.interval_low is not None and reading.interval_high is not None
    # Standard error of 75.1 % at 1008: 1.36 points; 1.96 of them either side.
    assert reading.interval_low == pytest.approx(0.751 - 1.96 * 0.0136, abs=0.002)
    assert reading.interval_high == pytest.approx(0.751 + 1.96 * 0.0136, abs=0.002)


def test_the_probability_is_a_half_where_the_share_is_the_line_and_reads_the_stored_column() -> None:
    rule = TopShareProbabilityRule(id="a", line=0.7500)
    p = rule.values(a_series([756, 720, 800]))
    assert p[0] == pytest.approx(0.5, abs=0.02)
    assert p[1] < 0.01 and p[2] > 0.99
    assert rule.levels(a_series([765, 720, 800])).tolist() == [Level.BETWEEN, Level.CLEAR, Level.OVER]
    series = a_series([756])
    stored = replace(series, p_top4_above_75=np.array([0.99]))
    assert rule.levels(stored).tolist() == [Level.OVER]


def facts(**more: Any) -> TimerFacts:
    return TimerFacts(**{"now": 1_000_000.0, "changed_at": 0.0} | more)


def active(finding: Finding | None) -> tuple[bool, int, int] | None:
    return None if finding is None else (finding.active, finding.key, finding.event_time)


def test_no_block_fires_two_hours_after_the_tip_and_resolves_with_the_next() -> None:
    rule = NoBlockRule(id="a")
    tip = {"scored_height": 800_000, "scored_time": 1_000_000 - 7_200}
    assert active(rule.judge(facts(**tip), None)) == (False, 800_000, 1_000_000)
    assert active(rule.judge(facts(**tip, **{"now": 1_000_001.0}), None)) == (True, 800_000, 1_000_000)
    later = {"scored_height": 800_001, "scored_time": 1_000_500, "now": 1_000_501.0}
    assert active(rule.judge(facts(**later), 800_000)) == (False, 800_000, 1_000_500)
    assert rule.judge(facts(), None) is None


def test_no_block_waits_while_an_old_tip_is_being_caught_up() -> None:
    rule = NoBlockRule(id="a")
    old = facts(scored_height=800_000, scored_time=500_000, changed_at=1_000_000.0 - 299)
    assert active(rule.judge(old, None)) == (False, 800_000, 507_200)


def test_no_score_names_the_block_that_waits() -> None:
    rule = NoScoreRule(id="a")
    waiting = facts(scored_height=10, block_height=12, unscored_since=999_399)
    assert active(rule.judge(waiting, None)) == (True, 11, 999_999)
    assert active(rule.judge(facts(scored_height=10, block_height=12, unscored_since=999_400), None)) == (
        False,
        11,
        1_000_000,
    )
    assert rule.judge(facts(scored_height=12, block_height=12), None) is None
    assert active(rule.judge(facts(scored_height=12, block_height=12), 11)) == (False, 11, 1_000_000)


def test_source_stale_judges_what_ingest_says_and_its_silence() -> None:
    rule = SourceStaleRule(id="a")
    assert active(rule.judge(facts(ingest_waiting_since=999_399), None)) == (True, 999_399, 999_999)
    assert active(rule.judge(facts(ingest_silent_since=999_000, ingest_waiting_since=999_399), None)) == (
        True,
        999_000,
        999_600,
    )
    assert rule.judge(facts(), None) is None
    assert active(rule.judge(facts(), 999_000)) == (False, 999_000, 1_000_000)


def test_dead_letters_are_counted_within_their_time_and_resolve_when_they_stop() -> None:
    rule = DeadLettersRule(id="a", more_than=2, within="1h")
    assert rule.judge(facts(letters=((999_000, 2),)), None) is None
    assert active(rule.judge(facts(letters=((900_000, 9), (999_000, 2), (999_500, 1))), None)) == (
        True,
        999_000,
        999_500,
    )
    assert active(rule.judge(facts(letters=((996_401, 5),)), 996_401)) == (True, 996_401, 996_401)
    assert active(rule.judge(facts(letters=((996_399, 5),)), 996_399)) == (False, 996_399, 999_999)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7_200), ("2 h", 7_200), ("7d", 604_800)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


def test_durations_are_said_shortly() -> None:
    assert [exact_span(s) for s in (90, 600, 7_200, 604_800)] == ["90 s", "10 min", "2 h", "7 d"]


def real_series() -> WindowCounts:
    """Every block of 2021–2026, windows of 1008, counted here block by block."""
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
    heights = table["height"].to_numpy()
    slugs = table["pool_slug"].to_pylist()
    codes = {slug: i for i, slug in enumerate(sorted({s for s in slugs if s and s != "unknown"}))}
    made = [codes.get(slug, -1) for slug in slugs]
    counts = np.zeros(len(codes) + 1, np.int64)
    rows, total = np.zeros((len(made), 6), np.int64), len(made)
    unknown = np.zeros(total, np.int64)
    for i, code in enumerate(made):
        counts[code] += 1
        if i >= 1008:
            counts[made[i - 1008]] -= 1
        rows[i] = -np.sort(-counts[:-1])[:6]
        unknown[i] = counts[-1]
    n = np.minimum(np.arange(total) + 1, 1008)
    return WindowCounts.of(
        height=heights,
        tip_hash=["%064x" % h for h in heights],  # noqa: UP031
        time=np.zeros(total),
        n=n,
        unknown=unknown,
        window_full=n == 1008,
        pools_seen=np.full(total, 20),
        counts=rows,
        p_top4_above_75=np.zeros(total),
        leaders=np.tile(np.arange(6), (total, 1)),
        names=("a",) * 6,
    )


def test_on_every_real_block_the_shipped_rule_fires_and_clears_eight_times() -> None:
    """FACTS: fires 8 times, first at 760903 and last at 892330, clears 8 times, last at 894647."""
    series = real_series()
    rule = TopShareRule(id="top4-share")
    track = RuleState(rule.id, rule.rule_hash, "bitcoin", rule.for_blocks)
    steps = track.extend(series, rule.levels(series))
    fired = [step.height for step in steps if step.state == "firing"]
    cleared = [step.height for step in steps if step.state == "resolved"]
    assert (len(fired), fired[0], fired[-1]) == (8, 760903, 892330)
    assert (len(cleared), cleared[-1]) == (8, 894647)
    # And cut in two anywhere, the same.
    again = RuleState(rule.id, rule.rule_hash, "bitcoin", rule.for_blocks)
    cut = 123_456
    halves = [series.part(slice(0, cut)), series.part(slice(cut, None))]
    assert [s for half in halves for s in again.extend(half, rule.levels(half))] == steps
    assert again.marks == track.marks


def test_levels_and_machine_agree_with_a_count_by_hand() -> None:
    series = a_series([750, 757, 757, 757, 735])
    rule = TopShareRule(id="a", for_blocks=2)
    steps = advance_many(NOWHERE, rule.levels(series), 1, 2)[1]
    assert [(s.height, s.state) for s in steps] == [(2, "pending"), (4, "firing"), (5, "resolved")]
    assert a_hash("a", 1) == series.tip_hash[0]
