"""Real releases and real blocks through the real line: the published figures, read from the views that readers have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest

from tests.integration.release_line.feed import blocks_around, epoch, pypi, send_releases
from tests.integration.release_line.views import rest
from tests.integration.streams.line import Engines, Line, line_on
from tests.unit.asymmetry.test_intervals_independently import simulated_ai, simulated_mining

TREATMENTS = ("dropped", "one_owner", "spread")
ERROR_MODELS = ("independent", "correlated")

# The published figures: D₂ of mining, then L with the residual dropped, as one owner, and spread over 25.
FIGURES = {
    date(2022, 12, 31): (5.845, -0.672, -0.253, 0.916),
    date(2023, 12, 31): (5.155, -0.309, 0.173, 0.930),
    date(2024, 12, 31): (5.026, -0.058, 0.321, 0.762),
    date(2025, 6, 30): (6.258, -0.462, -0.082, 0.197),
    date(2025, 12, 31): (6.167, -0.337, -0.011, 0.270),
}
EDGE_SHARES = {
    "as-filed": (0.007, 0.013, 0.012, 0.022, 0.048),
    "without-general-tools": (0.46, 0.32, 0.20, 0.12, 0.11),
}
ENDS = ("2022-05-31", "2023-05-31", "2024-05-31", "2025-06-12", "2026-03-31")
"""Of the periods of the snapshots of the day after."""


def chain_of(day: date) -> str:
    """Each day's stretch of mainnet is a chain of its own, so that it need not reach to the next."""
    return f"bitcoin-{day:%Y%m%d}"


SCORED = """
SELECT uniqExact(chain) FROM asymmetry
WHERE series = 'epoch-ai-compute-owners' AND view = 'raw' AND knowledge = 'latest'
    AND formatDateTime(day, '%Y%m%d') = substring(chain, length('bitcoin-') + 1)
"""
"""The chains that are scored on the day of their figures."""


@pytest.fixture(scope="module")
def fed(engines: Engines) -> Iterator[Line]:
    with line_on(engines, "figures") as line:
        worker = line.start()
        for day in FIGURES:
            line.send(blocks_around(day, chain=chain_of(day)), events_per_message=500)
        send_releases(line, epoch())
        send_releases(line, pypi())
        line.wait_for(SCORED, len(FIGURES))
        rest(line)  # a day is scored with each release that comes, and again with the last one
        yield line
        assert worker.stop() == 0, worker.tail()


@pytest.mark.parametrize("day", FIGURES)
def test_the_score_of_a_day(fed: Line, day: date) -> None:
    rows = fed.ch.query(
        "SELECT d2_mining, l_dropped, l_one_owner, l_spread, level, ai_layer, mining_layer, hindsight, known_blocks + unknown_blocks "
        "FROM asymmetry WHERE series = 'epoch-ai-compute-owners' AND chain = {chain:String} AND day = {day:Date} AND view = 'raw' "
        "AND knowledge = 'latest'",
        {"chain": chain_of(day), "day": day},
    )
    [(*values, level, ai_layer, mining_layer, hindsight, blocks)] = rows
    assert values == pytest.approx(FIGURES[day], abs=0.001)
    assert level == "no_call"
    assert (ai_layer, mining_layer) == ("ownership", "operation")
    assert hindsight  # the file was published in 2026
    assert blocks == 1008


@pytest.mark.parametrize("day", FIGURES)
def test_intervals_and_probabilities_of_a_day(fed: Line, day: date) -> None:
    """All that the row says of uncertainty, by scipy from the files: 100,000 draws."""
    bounds = "low_independent, high_independent, low_correlated, high_correlated"
    columns = [
        f"l_{how}_low_{model}, l_{how}_high_{model}, p_{how}_{model}" for how in TREATMENTS for model in ERROR_MODELS
    ]
    [row] = fed.ch.query(
        f"SELECT {', '.join(columns)}, {bounds}, d2_mining_low, d2_mining_high FROM asymmetry "
        "WHERE series = 'epoch-ai-compute-owners' AND chain = {chain:String} AND day = {day:Date} AND view = 'raw' "
        "AND knowledge = 'latest'",
        {"chain": chain_of(day), "day": day},
    )
    mining = simulated_mining(day)
    ends = {}
    for place, (how, model) in enumerate((how, model) for how in TREATMENTS for model in ERROR_MODELS):
        draws = simulated_ai(day, model)[how] - mining
        ends[how, model] = np.quantile(draws, [0.025, 0.975])
        assert list(row[3 * place : 3 * place + 2]) == pytest.approx(ends[how, model].tolist(), abs=0.02)
        assert row[3 * place + 2] == pytest.approx(float((draws > 0).mean()), abs=0.02)
    envelope = [
        widest(ends[how, model][end] for how in TREATMENTS)
        for model in ERROR_MODELS
        for end, widest in ((0, min), (1, max))
    ]
    assert list(row[18:22]) == pytest.approx(envelope, abs=0.02)
    assert list(row[22:]) == pytest.approx(np.exp2(np.quantile(mining, [0.025, 0.975])).tolist(), rel=0.01)


def test_owners_at_the_end_of_2025(fed: Line) -> None:
    rows = fed.ch.query(
        "SELECT treatment, d2, top4, owners, buckets FROM dispersion WHERE series = 'epoch-ai-compute-owners' "
        "AND period_end = '2025-12-31' ORDER BY treatment"
    )
    assert [row[0] for row in rows] == ["dropped", "one_owner", "spread"]
    assert [row[1] for row in rows] == pytest.approx([4.884, 6.122, 7.438], abs=0.001)
    assert [round(100 * row[2], 1) for row in rows] == [83.9, 67.7, 67.7]
    assert {row[4] for row in rows} == {2}


def test_an_incomplete_quarter_is_kept_and_not_scored(fed: Line) -> None:
    assert fed.ch.query(
        "SELECT coverage, is_current, coverage_note != '' FROM releases_all "
        "WHERE series = 'epoch-ai-compute-owners' AND period_end = '2026-03-31'"
    ) == [("partial", False, True)]
    assert fed.ch.query(
        "SELECT count() FROM dispersion_all WHERE period_end = '2026-03-31' AND series = 'epoch-ai-compute-owners'"
    ) == [(0,)]
    assert fed.ch.query("SELECT count() FROM releases WHERE series = 'epoch-ai-compute-owners'") == [(16,)]


def test_both_lists_side_by_side(fed: Line) -> None:
    rows = fed.ch.query(
        "SELECT toString(period_end) AS ends, list_id, edge_share, other_lists FROM edge_share "
        "WHERE series = 'pypi-edge-share' AND ends IN {ends:Array(String)} ORDER BY ends",
        {"ends": list(ENDS)},
    )
    assert len(rows) == 2 * len(ENDS)
    for ends, list_id, share, others in rows:
        at = ENDS.index(ends)
        [(other_id, other_share)] = others
        assert share == pytest.approx(EDGE_SHARES[list_id][at], abs=0.005)
        assert {list_id, other_id} == EDGE_SHARES.keys()
        assert other_share == pytest.approx(EDGE_SHARES[other_id][at], abs=0.005)


def test_flower_is_left_out_and_says_why(fed: Line) -> None:
    rows = fed.ch.query("SELECT list_id, counts, reason FROM series_entries WHERE owner = 'flower' ORDER BY list_id")
    assert [row[:2] for row in rows] == [("as-filed", False), ("without-general-tools", False)]
    assert all("Celery" in row[2] for row in rows)
    assert fed.ch.query("SELECT count() FROM observations WHERE owner = 'flower' AND value > 0")[0][0] > 0


def test_a_package_below_the_cutoff_is_missing_and_not_zero(fed: Line) -> None:
    [(missing, cutoff, lower, share, upper, zeros)] = fed.ch.query(
        "SELECT missing, cutoff, edge_share_lower, edge_share, edge_share_upper, "
        "(SELECT count() FROM observations WHERE series = 'pypi-edge-share' AND value = 0) "
        "FROM edge_share WHERE series = 'pypi-edge-share' AND list_id = 'as-filed' AND period_end < '2022-06-30' "
        "ORDER BY period_end DESC LIMIT 1"
    )
    assert "executorch" in missing
    assert cutoff > 0
    assert zeros == 0
    assert lower < share < upper


def test_every_pair_has_a_row_at_the_tip_and_both_views(fed: Line) -> None:
    rows = fed.ch.query(
        "SELECT chain, groupUniqArray(view), countIf(knowledge = 'latest') FROM latest_asymmetry "
        "WHERE series = 'epoch-ai-compute-owners' GROUP BY chain ORDER BY chain"
    )
    assert [row[0] for row in rows] == [chain_of(day) for day in FIGURES]
    assert all(sorted(row[1]) == ["entity", "raw"] and row[2] == 2 for row in rows)


def test_nothing_was_refused(fed: Line) -> None:
    assert fed.ch.query("SELECT count() FROM dead_letters") == [(0,)]
    assert fed.ch.query("SELECT count() FROM incomplete_releases") == [(0,)]
