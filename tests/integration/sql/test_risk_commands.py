"""`counterpoise settle`, `risk` and `entities` as they are typed, on the sample.

Of nine blocks one is unknown and three are Foundry's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.earlier_attribution import read_earlier_pools
from counterpoise.clickhouse.pool_blocks import read_pool_blocks
from counterpoise.errors import ConfigError
from desk.as_of.read import read_as_of
from desk.cli import main
from desk.share_now import NewestBlocks
from tests.engines import ClickHouseServer
from tests.integration.alerts.test_old_rows import rows_read
from tests.integration.sql.sample import ALERT, CURRENT, FIRST, LAST, POOLS, SUPERSEDED, pool_of

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(
    sample: ClickHouse, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Cli:
    """Run a command on the sample; (exit code, standard output, standard error)."""
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__HOST", "127.0.0.1")
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PORT", str(clickhouse.port))
    monkeypatch.setenv("COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE", str(clickhouse.password_file))
    monkeypatch.setenv("COUNTERPOISE_DATASET", sample.database)
    monkeypatch.setenv("COUNTERPOISE_DATASET_KIND", "simulated")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def _counts(window: int, last: int = LAST) -> dict[int, int]:
    codes = [pool_of(height) for height in range(last - window + 1, last + 1)]
    return {code: codes.count(code) for code in sorted(set(codes))}


def _answer(cli: Cli, *arguments: str) -> dict[str, Any]:
    code, out, err = cli(*arguments, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_settle_lists_every_adversary_with_its_denominator(cli: Cli) -> None:
    counts = _counts(144)
    answer = _answer(
        cli, "settle", "--usd", "10m", "--max-expected-loss", "1000", "--window", "144", "--with", "ocean+f2"
    )
    assert (answer["n"], answer["unknown"], answer["height"]) == (144, counts[0], LAST)
    by_label = {row["adversary"]: row for row in answer["adversaries"]}
    assert by_label["largest pool"]["blocks"] == max(counts.values())
    assert by_label["largest pool"]["members"] == ["foundry-usa"]
    # By then f2pool belongs to antpool's owner.
    entity = max(counts[3], counts[1] + counts[2])
    assert by_label["largest entity"]["blocks"] == entity
    assert by_label["coalition"]["blocks"] == counts[4] + counts[2]
    assert by_label["4 largest pools"]["suffices"] is False and by_label["4 largest pools"]["confirmations"] is None
    assert "A pool is not its miners" in answer["note"].replace("\n", " ")
    code, out, err = cli("settle", "--usd", "10m", "--max-expected-loss", "1000", "--window", "144")
    assert (code, err) == (0, "") and "no number suffices" in out and "shares are of all blocks" in out


def test_the_columns_of_sql_agree_with_the_command(cli: Cli, sample: ClickHouse) -> None:
    answer = _answer(cli, "risk", "--window", "144", "--height", str(LAST - 100))
    at = answer["adversaries"][0]["at_share"]
    [row] = sample.query(
        "SELECT confirmations_for_1_percent, confirmations_for_0_1_percent, confirmations_for_0_001_percent FROM concentration "
        f"WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144 AND height = {LAST - 100}"
    )
    assert row == tuple(at[f"confirmations_{name}_percent"] for name in ("1", "0_1", "0_001"))
    code, out, err = cli("risk", "--window", "144")
    assert (code, err) == (0, "") and "largest entity" in out and "0.1 %" in out


def test_entities_show_a_merger(cli: Cli) -> None:
    counts = _counts(144)
    answer = _answer(cli, "entities", "diff", "foundry+antpool", "--window", "144")
    assert answer["members"] == ["foundry-usa", "antpool"]
    assert answer["share"] == (counts[3] + counts[1]) / 144
    assert answer["hhi_change"] == pytest.approx(20_000 * counts[3] * counts[1] / 144**2)
    pairs = _answer(cli, "entities", "mergers", "--largest", "3", "--window", "144")["mergers"]
    assert set(pairs[0]["members"]) == {"foundry-usa", "antpool"} and len(pairs) == 3
    for command in (("diff", "foundry+antpool"), ("mergers",)):
        code, out, err = cli("entities", *command, "--window", "144")
        assert (code, err) == (0, "") and "presumed harmful" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("entities", "diff", "foundry"), "members 'foundry': expected at least two pools joined by +"),
        (("risk", "--window", "145"), "--window 145: expected one of 144, 1008, 2016, 4320"),
        (("risk", "--height", "5"), "chain 'bitcoin' has no scored block at height 5"),
        (("risk", "--chain", "dogecoin"), "chain 'dogecoin' is not known: expected one of bitcoin"),
        (("risk", "--chain", "litecoin"), "chain 'litecoin' is not scored yet"),
        (("settle", "--usd", "x", "--max-expected-loss", "1"), "--usd 'x': expected an amount above 0"),
    ],
)
def test_a_mistake_is_one_line(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = cli(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err


def test_explain_splits_a_change_by_pool(cli: Cli, sample: ClickHouse) -> None:
    first = LAST - 100
    answer = _answer(cli, "explain", "top4", "--window", "144", "--from-height", str(first))
    rows = dict(
        sample.query(
            "SELECT height, top4_share FROM concentration WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144 "
            f"AND height IN ({first}, {LAST})"
        )
    )
    assert (answer["before"]["value"], answer["after"]["value"]) == pytest.approx((rows[first], rows[LAST]), abs=1e-12)
    assert sum(part["change"] for part in answer["parts"]) == pytest.approx(answer["change"], abs=1e-12)
    before, after = _counts(144, first), _counts(144)
    foundry = next(part for part in answer["parts"] if part["pool"] == "foundry-usa")
    assert (foundry["share_before"], foundry["share_after"]) == (before[3] / 144, after[3] / 144)
    # Blocks are ten minutes apart, so a day is the 144 blocks before.
    day = _answer(cli, "explain", "hhi_10000", "--window", "144", "--over", "24h")
    assert day["before"]["height"] == LAST - 144
    code, out, err = cli("explain", "nakamoto_half", "--window", "144", "--over", "24h")
    assert (code, err) == (0, "") and "within chance" in out and "The parts sum to the change." in out


def test_explain_shows_what_a_new_set_changed(cli: Cli) -> None:
    """The superseded set of the sample gives every block to OCEAN. Under the current one Foundry leads with a third."""
    at = ("--window", "144", "--height", str(LAST), "--from-height", str(LAST), "--attribution", SUPERSEDED)
    answer = _answer(cli, "explain", "top1", *at)
    share = _counts(144)[3] / 144
    assert (answer["before"]["value"], answer["after"]["value"]) == (1.0, share)
    assert (answer["before"]["attribution_id"], answer["attribution_id"]) == (SUPERSEDED, CURRENT)
    assert answer["attribution"] == answer["change"] == share - 1.0 and answer["entity_map"] == 0
    assert not any(part["change"] for part in answer["parts"]) and len(answer["parts"]) == 5
    assert answer["before"]["unknown"] == 0 != answer["after"]["unknown"]
    code, out, err = cli("explain", "top1", *at)
    row = next(line for line in out.splitlines() if "changes of attribution" in line)
    assert (code, err) == (0, "") and f"{100 * (share - 1):.2f}".lstrip("-") in row
    assert f"attribution {SUPERSEDED} in the first and {CURRENT} in the second" in " ".join(out.split())
    usual = _answer(cli, "explain", "top1", "--window", "144", "--over", "24h")
    assert usual["attribution"] == 0 and usual["before"]["attribution_id"] == CURRENT
    same = _answer(cli, "explain", "top1", "--window", "144", "--over", "24h", "--attribution", CURRENT)
    assert same == usual


def test_a_set_that_lacks_blocks_of_the_window_is_refused(own_sample: ClickHouse) -> None:
    for table, below in (
        *(("attributions_log", "AND height <= {height:UInt32}"), ("pool_names_log", "")),
        ("attribution_sets_log", ""),
    ):
        own_sample.execute(
            f"INSERT INTO {table} SELECT * REPLACE ('r-half' AS attribution_id) "
            f"FROM (SELECT * FROM {table} FINAL WHERE attribution_id = {{id:String}} {below})",
            {"id": CURRENT, "height": LAST - 44},
        )
    window = read_pool_blocks(own_sample, "bitcoin", 144)
    with pytest.raises(
        ConfigError, match=f"'r-half' has 100 of the 144 blocks of the window that ends at height {LAST}"
    ):
        read_earlier_pools(own_sample, window, "r-half")
    whole = read_earlier_pools(own_sample, read_pool_blocks(own_sample, "bitcoin", 144, LAST - 44), "r-half")
    counts = _counts(144, LAST - 44)
    assert (whole.unknown, whole.raw) == (counts[0], {POOLS[code]: n for code, n in counts.items() if code})


def test_the_pools_of_an_earlier_set_are_read_near_the_window_only(own_sample: ClickHouse) -> None:
    history = 100_000
    for table, of_set in (("attributions_log", f"AND attribution_id = '{SUPERSEDED}'"), ("blocks_log", "")):
        one = (
            f"SELECT * FROM {table} WHERE chain = 'bitcoin' AND height = {LAST} {of_set} ORDER BY version DESC LIMIT 1"
        )
        own_sample.execute(
            f"INSERT INTO {table} SELECT a.* REPLACE (toUInt32(n.number) AS height) FROM ({one}) AS a "
            f"CROSS JOIN numbers({history}) AS n"
        )
    window = read_pool_blocks(own_sample, "bitcoin", 144)
    assert read_earlier_pools(own_sample, window, SUPERSEDED).raw == {"ocean": 144}
    assert 144 < rows_read(own_sample) < 5_000, "two marks of 1,024 rows per table, and the names"
    [(older,)] = own_sample.query(
        "SELECT count() FROM attributions_of(attribution_id = {id:String})", {"id": SUPERSEDED}
    )
    assert older == history + LAST - FIRST + 1 + 20, "with the chain signet"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("top4", "--window", "144", "--over", "24h", "--attribution", "r-none"),
            "attribution set 'r-none' is not in this dataset: see the view attribution_sets",
        ),
        (("top7",), "metric 'top7': has no parts by pool"),
        (("top4", "--over", "soon"), "--over 'soon': expected a length of time, such as 24h, 7d or 30d"),
        (("top4", "--view", "both"), "--view 'both': expected one of raw, entity"),
        (("top4", "--window", "144", "--over", "30d"), "chain 'bitcoin' has no scored block 30 days before height"),
    ],
)
def test_a_mistake_in_an_explanation_is_one_line(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = cli("explain", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err


def test_estimates_show_three_meanings_of_a_share(cli: Cli) -> None:
    counts = _counts(144)
    answer = _answer(cli, "estimates", "--window", "144")
    first, *_, last = answer["estimates"]
    assert (first["pools"], first["blocks_seen"]) == (["foundry-usa"], counts[3] / 144)
    assert last["blocks"] == 144 - counts[0]
    for row in answer["estimates"]:
        ranges = [row["hashrate_now"], *(row[f"next_{m}_blocks"] for m in (2_016, 1_008, 144))]
        assert all(0 < low < row["blocks_seen"] < high < 1 for low, high in ranges)
        # The fewer the next blocks, the more luck.
        assert sorted(high - low for low, high in ranges) == [high - low for low, high in ranges]
        # 400 blocks of the same pattern: about the same share now, and half a chance to be above it.
        weighed = row["weighed_by_age"]
        assert weighed["blocks"] == 400 and weighed["interval"][0] < row["blocks_seen"] < weighed["interval"][1]
        members = [code for code in counts if code and POOLS[code] in row["pools"]]
        ages = {LAST - height: pool_of(height) in members for height in range(FIRST, LAST + 1)}
        k = min(0.5, max(1 / 8_640, math.sqrt(row["drift"] / (row["blocks_seen"] * (1 - row["blocks_seen"])))))
        mass = sum((1 - k) ** age for age in ages)
        share = (sum((1 - k) ** age for age, hit in ages.items() if hit) / mass + 0.5 / mass) / (1 + 1 / mass)
        assert weighed["share"] == pytest.approx(share, rel=1e-12)
    assert first["drift"] == 7e-8, "the stored one"
    hhi, d2 = answer["dispersion"]
    s2, known = sum(blocks**2 for code, blocks in counts.items() if code), 144 - counts[0]
    assert (hhi["metric"], hhi["blocks_seen"], d2["blocks_seen"]) == ("hhi", s2 / 144**2, known**2 / s2)
    for row, unbiased in ((hhi, (s2 - known) / (144 * 143)), (d2, known * (known - 1) / (s2 - known))):
        ends = [row["hashrate_now"], row["next_2016_blocks"], row["next_1008_blocks"], row["next_144_blocks"]]
        assert all(low < unbiased < high for low, high in ends) and row["drift_of_hhi"] == 7e-8
    above = [
        _answer(cli, "estimates", "--line", str(line))["estimates"][0]["weighed_by_age"]["above_line"]
        for line in (0.2, 0.9)
    ]
    assert above[0] > 0.9 and above[1] < 1e-6
    code, out, err = cli("estimates", "--line", "75")
    assert (code, out) == (2, "") and "--line 75.0: expected a share between 0 and 1" in err
    code, out, err = cli("estimates", "--window", "144", "--view", "entity")
    assert (
        (code, err) == (0, "") and "measured coverage" in out and "entity view" in out and "HHI" in out and "D₂" in out
    )
    code, out, err = cli("estimates", "--view", "both")
    assert (code, out) == (2, "") and "--view 'both': expected one of raw, entity" in err


def test_an_entity_has_the_blocks_of_its_members_of_that_day(own_sample: ClickHouse) -> None:
    groups = [
        {
            "slug": "antpool",
            "members": [{"pool": "f2pool", "start": "2023-07-24"}, {"pool": "ocean", "end": "2023-07-24"}],
        },
        {"slug": "viabtc", "members": [{"pool": "foundry-usa", "start": "2023-07-25"}]},
    ]
    document = json.dumps({"entities": {"groups": groups}})
    own_sample.insert(
        "attribution_sets_log",
        {"attribution_id": [CURRENT], "document": [document], "created_at": [0], "version": [1_000]},
    )
    window = read_pool_blocks(own_sample, "bitcoin", 144)
    assert window.time.date().isoformat() == "2023-07-24"
    for leaders, members in ((("antpool",), {1, 2}), (("antpool", "viabtc"), {1, 2, 5}), (("ocean",), {4})):
        found = NewestBlocks(own_sample, window, "entity").hits(leaders)
        assert found.tolist() == [float(pool_of(height) in members) for height in range(FIRST, LAST + 1)]
    assert NewestBlocks(own_sample, window, "raw").hits(("antpool",)).sum() == 400 * 2 // 9 + 1


def test_a_past_day_is_shown_twice(cli: Cli, sample: ClickHouse) -> None:
    """Both sets of the sample were computed on 2023-07-22; what was known on a later day is the last of them, and now the current."""
    day = "2023-07-24"
    answer = _answer(cli, "as-of", day, "--window", "144")
    assert (answer["height"], answer["day"]) == (LAST, day)
    assert answer["then"]["attribution"] == {"attribution_id": "r-superseded"}
    assert answer["now"]["attribution"] == {"attribution_id": "r-current"}
    counts = _counts(144)
    top4 = sum(sorted((n for code, n in counts.items() if code), reverse=True)[:4]) / 144
    assert answer["now"]["concentration"]["raw top4_share"] == pytest.approx(top4)
    assert answer["then"]["concentration"]["raw top1_share"] == 1.0, "the other set gives every block to one pool"
    assert answer["now"]["alerts"] == answer["then"]["alerts"] == {}, "it resolved on the day"
    [(rule, text_hash)] = sample.query("SELECT DISTINCT rule_id, rule_hash FROM alert_events WHERE chain = 'bitcoin'")
    assert answer["then"]["rules"][f"{rule} hash"] == text_hash
    differing = {(one["section"], one["name"]) for one in answer["differences"]}
    assert ("concentration", "raw top4_share") in differing and not {"alerts", "rules"} & {one for one, _ in differing}
    assert set(answer["not_versioned"]) >= {"blocks", "attribution_sets", "rules"} and answer["hindsight"] == []
    before = _answer(cli, "as-of", "2023-07-23", "--window", "144")
    assert before["height"] < LAST and before["then"]["rules"] == {}
    assert {one["why"] for one in before["differences"] if one["section"] == "rules"} == {"its first step came later"}
    code, out, err = cli("as-of", day, "--window", "144", "--differences")
    assert (code, err) == (0, "") and "Limits of what is versioned" in out
    assert "alerts" not in out.partition("Limits of what is versioned")[0]


def test_what_was_taken_back_or_edited_since_differs(own_sample: ClickHouse) -> None:
    """Two days later the resolution is undone, and another alert carries an edited rule."""
    insert = (
        "INSERT INTO alert_events_log (alert_id, sequence, rule_id, rule_hash, state, reason, undoes, event_time, chain, height, "
        "threshold, version) VALUES "
    )
    own_sample.execute(
        insert
        + f"('{ALERT}', 3, 'top4-share', '0123456789ab', 'inactive', 'reorg', [2], '2023-07-26', 'bitcoin', {LAST}, 0.75, 900), "
        f"('bb', 0, 'top4-share', 'ba9876543210', 'firing', 'observed', [], '2023-07-27', 'bitcoin', {LAST}, 0.7, 900)"
    )
    found = read_as_of(own_sample, "bitcoin", date(2023, 7, 24), 144)
    assert (found.then.facts["alerts"], found.now.facts["alerts"]) == ({}, {ALERT: "firing"})
    assert found.then.facts["rules"] == {"top4-share hash": "0123456789ab", "top4-share line": 0.75}
    assert found.now.facts["rules"] == {"top4-share hash": "ba9876543210", "top4-share line": 0.7}
    assert {one.why for one in found.differences if one.section in ("alerts", "rules")} == {
        "a step was taken back since",
        "the rule was edited since",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("June",), "day 'June': expected a day such as 2024-06-30"),
        (
            ("2020-01-01",),
            "as-of 2020-01-01: no scored block of chain 'bitcoin' has a header time by the end of it: choose 2023-07-",
        ),
        (
            ("2023-07-24", "--chain", "litecoin"),
            "no scored block of chain 'litecoin' has a header time by the end of it: no block is scored; ingest or replay",
        ),
        (("9999-12-31",), "day 9999-12-31: expected a day from 2009-01-03 to 2100-01-01"),
        (("2023-07-24", "--window", "7"), "--window 7: expected one of 144, 1008, 2016, 4320"),
    ],
)
def test_a_day_that_cannot_be_shown_is_one_line(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = cli("as-of", *arguments)
    assert (code, out) == (2, "") and message in err
