"""The report of a real database says what SQL says.

The sample's pattern of nine blocks: foundry-usa 3, antpool 2, f2pool, viabtc, ocean and unknown 1 each.
So of 144 blocks 112 are by the four largest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import ClickHouse
from desk.cli import main
from desk.report.gather import gap_rows, gather
from desk.report.report_model import Report, RuleLine
from desk.report.report_page import render
from tests.engines import ClickHouseServer
from tests.integration.report.ai_side import insert_packages, insert_scores
from tests.integration.sql.sample import ALERT, CURRENT, FIRST, LAST, block
from tests.unit.report.test_page import Page

MADE_AT = datetime(2023, 7, 25, tzinfo=UTC)
LINE = RuleLine("top4-share", "Top-4", "raw", 144, 0.75, 0.73, 36)


def gathered(ch: ClickHouse, line: RuleLine | None = LINE, since: date | timedelta | None = None) -> Report:
    return gather(ch, dataset="s", kind="simulated", chain="bitcoin", made_at=MADE_AT, line=line, since=since)


@pytest.fixture
def whole(own_sample: ClickHouse) -> ClickHouse:
    """The sample with an AI side."""
    insert_scores(own_sample)
    insert_packages(own_sample)
    return own_sample


def test_everything_that_the_report_says_is_what_sql_says(whole: ClickHouse) -> None:
    made = gathered(whole)
    now = made.now["raw"]
    [(height, share, low, high, unknown, points, d2, nakamoto, attribution)] = whole.query(
        "SELECT height, top4_share, top4_share_low, top4_share_high, unknown, hhi_10000, effective_pools_d2, nakamoto_half, "
        "attribution_id FROM latest_concentration WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144"
    )
    assert (
        (now.height, now.top4, now.top4_low, now.top4_high)
        == (height, share, low, high)
        == (LAST, 112 / 144, low, high)
    )
    assert (now.unknown, now.hhi_points, now.effective_pools) == (unknown, points, d2)
    assert (now.nakamoto_half, now.attribution_id) == (nakamoto, attribution) == (2, CURRENT)

    raw, entity = made.leaders["raw"], made.leaders["entity"]
    assert [(pool.slug, pool.name, pool.blocks) for pool in raw[:2]] == [
        ("foundry-usa", "Foundry-Usa", 48),
        ("antpool", "Antpool", 32),
    ]
    assert [pool.blocks for pool in entity][:2] == [48, 48]  # f2pool is antpool's by then
    # The interval of the largest is the one that the view has.
    [(low, high)] = whole.query(
        "SELECT top1_share_low, top1_share_high FROM latest_concentration "
        "WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144"
    )
    assert (raw[0].low, raw[0].high) == pytest.approx((low, high), abs=1e-12)

    assert [(row.day, row.pools, row.at_tip) for row in made.gap_rows] == [
        (date(2023, 3, 31), 6.0, False),
        (date(2023, 6, 30), 5.0, False),
        (date(2023, 7, 24), 4.0, True),
    ]
    last = made.gap_rows[-1]
    assert (last.ai_dropped, last.ai_spread, last.l_min, last.l_max, last.low, last.high) == (
        5.0,
        8.0,
        0.3,
        1.0,
        0.1,
        1.2,
    )
    assert (last.blocks, last.period_end, last.level, last.hindsight) == (
        1008,
        date(2023, 3, 31),
        "ai_more_dispersed",
        True,
    )
    assert gap_rows(whole, "bitcoin") == made.gap_rows

    assert {name: [point.share for point in points] for name, points in made.edge.items()} == {
        "as-filed": [pytest.approx(40 / 140, abs=5e-5), 0.5],
        "without-general-tools": [0.25, 0.5],
    }
    ages = {one.series: one for one in made.series}
    assert ages["pypi-edge-share"].period_end == date(2023, 6, 30)
    assert ages["pypi-edge-share"].owners == 4
    assert ages["miner-pivot"].period_end is None
    assert ages["miner-pivot"].owners is None

    [episode] = made.episodes
    assert (episode.alert_id, episode.rule_id, episode.value, episode.threshold) == (ALERT, "top4-share", 0.76, 0.75)
    assert episode.peak_top4 == 112 / 144
    assert episode.cleared_at == datetime.fromtimestamp(1_690_200_002, UTC)
    [letter] = made.dead_letters
    assert (letter.reason, letter.letters, letter.not_replayed) == ("bad-event", 2, 2)

    said = Page(render(made)).said
    for part in (
        "mined 77.8 % of the last 144 blocks",
        "Simulated data.",
        "AI is more dispersed",
        "Mining is more concentrated than AI",
        "up from 28.6 % to 50.0 %",
        "75 %77.78 %",
        "counterpoise --dataset s sql --name share_over_time --param chain=bitcoin --param view=raw --param window=144",
    ):
        assert part in said, part


def test_the_history_is_cut_into_stretches_that_end_at_the_tip(sample: ClickHouse) -> None:
    made = gathered(sample)
    # Full windows of 144 end at 257 heights; 360 stretches may be one height each.
    assert [point.height for point in made.shares] == list(range(FIRST + 143, LAST + 1))
    assert {point.share for point in made.shares} == {112 / 144}
    few = sample.query(
        made.questions["shares"].sql,
        {"chain": "bitcoin", "view": "raw", "window": 144, "since": "1970-01-01 00:00:00", "points": 10},
    )
    # 257 heights in ten stretches at most are 26 heights a stretch, the first one shorter: 257 = 9 · 26 + 23.
    assert [row[0] for row in few] == [LAST - 26 * back for back in reversed(range(10))]
    stored = dict(
        sample.query(
            "SELECT height, top4_share_low FROM concentration WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144"
        )
    )
    assert [row[3] for row in few] == [stored[row[0]] for row in few]


def test_what_lies_before_since_is_left_out(whole: ClickHouse) -> None:
    day = datetime.fromtimestamp(block("bitcoin", LAST - 100).time, UTC)
    made = gathered(whole, since=day.date())
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert made.since == midnight
    assert made.shares[0].time >= midnight > made.shares[0].time - timedelta(seconds=600)
    assert [row.day for row in made.gap_history] == [date(2023, 7, 24)]
    assert len(made.gap_rows) == 3  # what is said of the years does not hang on it
    assert made.edge == {}
    # So long before the newest block, which is of LAST: 100 blocks of ten minutes.
    assert gathered(whole, since=timedelta(minutes=1000)).shares[0].height == LAST - 100
    after = replace(made, episodes=gathered(whole, since=date(2023, 7, 25)).episodes)
    assert after.episodes == []


def test_an_empty_dataset_has_a_report_too(empty: ClickHouse) -> None:
    for since in (None, timedelta(days=1), date(2025, 1, 1)):
        made = gathered(empty, line=None, since=since)
        assert (made.now, made.shares, made.gap_rows, made.edge, made.episodes) == ({}, [], [], {}, [])
        assert Page(render(made)).said.count("Not known yet.") == 7


@pytest.fixture
def cli(
    sample: ClickHouse, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command on the sample; (exit code, standard output, standard error)."""
    for name, value in {
        "CLICKHOUSE__HOST": "127.0.0.1",
        "CLICKHOUSE__PORT": str(clickhouse.port),
        "CLICKHOUSE__PASSWORD_FILE": str(clickhouse.password_file),
        "DATASET": sample.database,
        "DATASET_KIND": "simulated",
    }.items():
        monkeypatch.setenv(f"COUNTERPOISE_{name}", value)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["report", *arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command_writes_a_page_and_says_where(cli: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    code, said, _ = cli("--out", str(out), "--since", "2023-07-01")
    assert (code, said) == (0, f"{out}\n")
    markup = out.read_text(encoding="utf-8")
    assert len(markup.encode()) < 500_000
    # The shipped rule looks at windows of 1,008 blocks; the sample has 400.
    said = Page(markup).said
    assert "of the last 400 blocks" in said
    assert "400 of 1,008" in said
    assert "Simulated data." in said


@pytest.mark.parametrize("since", ["soon", "0d", "12", "2025-02-30"])
def test_a_since_that_says_nothing_is_one_line(
    cli: Callable[..., tuple[int, str, str]], tmp_path: Path, since: str
) -> None:
    code, _, error = cli("--out", str(tmp_path / "r.html"), "--since", since)
    assert code == 2
    assert "--since takes a day such as 2025-01-01, or 90d, 12w or 2y" in error
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_one_line(cli: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, error = cli("--out", str(tmp_path / "file" / "r.html"))
    assert code == 2
    assert "cannot be written" in error
