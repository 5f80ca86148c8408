"""Two real years of blocks, the real quarters as if published in time, one restated: what every change is made of, from the tables.

Everything is checked against sums over the two reference files (`tests.unit.asymmetry.by_file`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

import pytest

from counterpoise.clickhouse.client import ClickHouse
from tests.integration.release_line.feed import send_releases
from tests.integration.release_line.views import rest
from tests.integration.streams.blocks import mainnet, mainnet_blocks
from tests.integration.streams.line import Engines, Line, line_on
from tests.unit.asymmetry import by_file
from tests.unit.asymmetry.test_published_in_time import LAG, LATE, RESTATED, held, known_by, quarters, restated
from tests.waiting import wait_for

# Long: two years from the tables. The same sums over the fold are in unit/asymmetry, and one published figure in this folder.
pytestmark = pytest.mark.long

FIRST, LAST = date(2023, 12, 31), date(2025, 12, 31)
QUARTERS = [date(2024, 12, 31), date(2025, 3, 31), date(2025, 6, 30), date(2025, 9, 30), date(2025, 12, 31)]
"""Ends of quarters with a window a year before."""
MONTH_ENDS = {"COUNTERPOISE_STREAMS__ASYMMETRY_DAYS": "month_ends"}
MONTHS = 25
"""Rows of a kind: one at the end of each month."""


Versions = dict[tuple[str, str, date], int]


def versions(line: Line) -> Versions:
    """Under which version each row of a day was last written."""
    rows = line.ch.query("SELECT view, toString(knowledge), day, version FROM asymmetry_log FINAL WHERE kind = 'day'")
    return {(view, knowledge, day): version for view, knowledge, day, version in rows}


@dataclass(frozen=True)
class Fed:
    """The line, and the versions of its rows before the quarter LATE came."""

    line: Line
    before_late: Versions

    @property
    def ch(self) -> ClickHouse:
        return self.line.ch


@pytest.fixture(scope="module")
def fed(engines: Engines) -> Iterator[Fed]:
    with line_on(engines, "changes") as line:
        line.start(settings=MONTH_ENDS)
        heights, _, times = mainnet()
        first, last = (
            heights[bisect_left(times, int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + 86_400)]
            for day in (FIRST, LAST)
        )
        line.send(mainnet_blocks(first - 1_100, last + 160), events_per_message=1_000)
        others = [one for end, one in quarters().items() if end != LATE]
        send_releases(line, [*others, restated()], chunk_observations=6)
        rest(line)
        line.wait_for("SELECT countIf(knowledge = 'latest') FROM asymmetry WHERE view = 'raw'", MONTHS)
        line.wait_for("SELECT count() FROM latest_asymmetry WHERE series = 'epoch-ai-compute-owners'", 4)
        rest(line)
        before = versions(line)
        send_releases(line, [quarters()[LATE]], chunk_observations=6)
        line.wait_for(f"SELECT count() > 0 FROM asymmetry WHERE release_id = '{quarters()[LATE].release_id}'", True)
        rest(line)
        late_rows = "SELECT min(period_end) FROM asymmetry WHERE day = '2024-07-31' AND knowledge = 'latest'"
        line.wait_for(late_rows, date.fromisoformat(LATE))
        rest(line)
        yield Fed(line, before)
        assert line.workers[-1].stop() == 0, line.workers[-1].tail()


SUMS = """
    SELECT c.day, c.treatment, c.total,
        multiIf(c.treatment = 'dropped', n.l_dropped - t.l_dropped, c.treatment = 'one_owner', n.l_one_owner - t.l_one_owner,
            n.l_spread - t.l_spread) AS change
    FROM
    (
        SELECT series, list_id, view, knowledge, day, treatment, sum(doublings) AS total FROM asymmetry_changes
        WHERE kind = 'day' GROUP BY ALL
    ) AS c
    INNER JOIN asymmetry AS n USING (series, list_id, view, knowledge, day)
    INNER JOIN asymmetry AS t ON (t.series, t.list_id, t.view, t.knowledge) = (c.series, c.list_id, c.view, c.knowledge)
        AND t.day = addYears(c.day, -1)
    WHERE c.view = {view:String} AND c.knowledge = {knowledge:String}
    ORDER BY c.day, c.treatment
"""


@pytest.mark.parametrize("view", ["raw", "entity"])
def test_parts_add_up_to_the_change_of_what_is_known_now(fed: Fed, view: str) -> None:
    rows = fed.ch.query(SUMS, {"view": view, "knowledge": "latest"})
    assert [row[:2] for row in rows] == [(day, how) for day in QUARTERS for how in by_file.TREATMENTS]
    for day, how, total, change in rows:
        assert total == pytest.approx(change, abs=1e-9)
        if view == "raw":
            before = day.replace(year=day.year - 1)
            scores = [by_file.score(held(str(end), on=LAST), end, how) for end in (before, day)]
            assert change == pytest.approx(scores[1] - scores[0], abs=1e-9)


def test_parts_add_up_to_the_change_of_what_was_known_live(fed: Fed) -> None:
    """On the days on which a quarter came out, against the live row of a year before."""
    days = [
        date(2025, 5, 31),
        date(2025, 11, 30),
    ]  # what came out on other days reads as before at the end of its month
    assert {str(day - LAG) for day in days} < quarters().keys()
    rows = fed.ch.query(SUMS, {"view": "raw", "knowledge": "live"})
    assert [row[:2] for row in rows] == [(day, how) for day in days for how in by_file.TREATMENTS]
    for day, how, total, change in rows:
        assert total == pytest.approx(change, abs=1e-9)
        before = day.replace(year=day.year - 1)
        scores = [by_file.score(held(known_by(on) or "", on=on), on, how) for on in (before, day)]
        assert change == pytest.approx(scores[1] - scores[0], abs=1e-9)
    revised = fed.ch.query(
        "SELECT DISTINCT day, knowledge, kind FROM asymmetry_changes WHERE component = 'revision' AND view = 'raw' ORDER BY kind"
    )
    # The restated quarter, and at the tip the quarter that was not out a year ago.
    assert revised == [
        (date.fromisoformat(RESTATED).replace(year=2025) + LAG, "live", "day"),
        (date(2026, 1, 2), "live", "latest"),
    ]


@cache
def tables(quarter: date) -> frozenset[str]:
    return frozenset(table for _, table in by_file.stock(str(quarter)))


def part(then: float, now: float, squares: tuple[float, float], copies: int) -> float:
    """2·Δp − Δp²/(copies·Λ) in doublings; Λ, the logarithmic mean, as the integral that defines it."""
    from scipy import integrate

    mean, _ = integrate.quad(lambda t: squares[0] ** (1 - t) * squares[1] ** t, 0, 1, epsabs=1e-13)
    return float((2 * (now - then) - (now**2 - then**2) / copies / mean) / math.log(2))


@pytest.mark.parametrize("how", by_file.TREATMENTS)
@pytest.mark.parametrize("day", QUARTERS)
def test_each_part_is_the_part_of_its_owner_pool_or_table(fed: Fed, day: date, how: str) -> None:
    found = {
        (component, name): doublings
        for component, name, doublings in fed.ch.query(
            "SELECT component, name, doublings FROM asymmetry_changes WHERE view = 'raw' AND knowledge = 'latest' AND kind = 'day' "
            "AND day = {day:Date} AND treatment = {how:String}",
            {"day": day, "how": how},
        )
    }
    before = day.replace(year=day.year - 1)
    copies = {"dropped": 1, "one_owner": 1, "spread": by_file.SPREAD_OVER}[how]
    stocks = [held(str(end), on=LAST) for end in (before, day)]
    shared = tables(before) & tables(day)

    expected: dict[tuple[str, str], float] = {}
    narrow = [by_file.owners(stock, shared) for stock in stocks]
    if how == "dropped":
        narrow = [{owner: value for owner, value in one.items() if owner not in by_file.BUCKETS} for one in narrow]
    cut = {owner: copies if owner in by_file.BUCKETS else 1 for one in narrow for owner in one}
    shares = [{owner: one.get(owner, 0.0) / sum(one.values()) for owner in cut} for one in narrow]
    squares = tuple(sum(share**2 / cut[owner] for owner, share in one.items()) for one in shares)
    for owner, equal in cut.items():
        expected["ai_owner", owner] = part(shares[0][owner], shares[1][owner], (squares[0], squares[1]), equal)
    for name, sides in (
        ("without", (stocks[0], tables(before) - shared, -1)),
        ("with", (stocks[1], tables(day) - shared, 1)),
    ):
        stock, missing, sign = sides
        if missing:
            wide, less = (by_file.log2_d2(by_file.pieces(by_file.owners(stock, only), how)) for only in (None, shared))
            expected["coverage", f"{name} {', '.join(sorted(missing))}"] = sign * (wide - less)
    blocks = [by_file.pools(end) for end in (before, day)]
    mined = [{pool: one.get(pool, 0) / sum(one.values()) for pool in {*blocks[0], *blocks[1]}} for one in blocks]
    both = tuple(sum(share**2 for share in one.values()) for one in mined)
    pools = {pool: -part(mined[0][pool], mined[1][pool], (both[0], both[1]), 1) for pool in mined[0]}

    assert {key for key in found if key[0] != "mining_pool"} == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-9), key
    # The line names pools by its registry and the file by slugs: the parts are the same numbers.
    ours = sorted(value for (component, _), value in found.items() if component == "mining_pool")
    assert ours == pytest.approx(sorted(pools.values()), abs=1e-9)
    if day == date(2024, 12, 31):
        assert ("coverage", "with amd_owners, named_other_owners, trainium_owners") in found


def test_the_named_query_shows_the_same_parts(fed: Fed) -> None:
    from tests.integration.release_line.test_queries import ask

    shown = ask(fed.line, "gap_parts", day="2025-12-31", treatment="spread")
    assert {row["component"] for row in shown} == {"ai_owner", "mining_pool"}
    [(change,)] = fed.ch.query(
        "SELECT anyIf(l_spread, day = '2025-12-31') - anyIf(l_spread, day = '2024-12-31') FROM asymmetry "
        "WHERE view = 'raw' AND knowledge = 'latest'"
    )
    assert sum(row["doublings"] for row in shown) == pytest.approx(change, abs=5e-5 * len(shown))
    assert [abs(row["doublings"]) for row in shown] == sorted((abs(row["doublings"]) for row in shown), reverse=True)


def test_a_late_quarter_rewrote_the_rows_that_read_it_and_no_other(fed: Fed) -> None:
    """As their own, as that of a year before, or in a trend of two years: every row from its end on, live ones once it was out."""
    after = versions(fed.line)
    assert after.keys() == fed.before_late.keys()
    end = date.fromisoformat(LATE)
    for (view, knowledge, day), version in after.items():
        reads = day >= (end if knowledge == "latest" else end + LAG)
        assert (version != fed.before_late[view, knowledge, day]) == reads, (view, knowledge, day)


def test_rows_of_what_is_known_now_are_those_of_a_file_that_has_it_all(fed: Fed) -> None:
    rows = fed.ch.query(
        "SELECT day, toString(period_end), l_dropped, l_one_owner, l_spread FROM asymmetry "
        "WHERE view = 'raw' AND knowledge = 'latest'"
    )
    assert len(rows) == MONTHS
    for day, quarter, *scores in rows:
        assert quarter == max(end for end in quarters() if date.fromisoformat(end) <= day)
        expected = [by_file.score(held(quarter, on=LAST), day, how) for how in by_file.TREATMENTS]
        assert scores == pytest.approx(expected, abs=1e-9)


def test_live_rows_are_of_what_was_out_by_the_end_of_their_day(fed: Fed) -> None:
    rows = fed.ch.query(
        "SELECT day, toString(period_end), l_dropped, l_one_owner, l_spread, hindsight, known_at <= toDateTime(day + 1), ai_age_days "
        "FROM asymmetry WHERE view = 'raw' AND knowledge = 'live' ORDER BY day"
    )
    assert len(rows) == MONTHS
    for day, quarter, *scores, hindsight, known, age in rows:
        assert quarter == known_by(day)
        assert (hindsight, known, age) == (False, True, (day - date.fromisoformat(quarter)).days)
        expected = [by_file.score(held(quarter, on=day), day, how) for how in by_file.TREATMENTS]
        assert scores == pytest.approx(expected, abs=1e-9)


def test_a_worker_that_takes_over_finds_nothing_to_write(fed: Fed) -> None:
    before = versions(fed.line)
    fed.line.workers[-1].kill()
    again = fed.line.start(settings=MONTH_ENDS)
    wait_for(lambda: again.status().get("state") == "working", "the worker", again.tail)
    rest(fed.line)
    fed.line.wait_for("SELECT count() > 1 FROM epochs_log WHERE role LIKE 'pairs:epoch%/raw/%'", True)
    rest(fed.line)
    assert versions(fed.line) == before
