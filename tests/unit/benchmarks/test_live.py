"""What `bench.live` makes of the services' histograms."""

from __future__ import annotations

from bench.live import between, ratios, stage_rows


def test_a_step_counts_where_one_block_passed_it() -> None:
    before = {"append_to_fetch": (1, 0.5), "fetch_to_store": (3, 0.75)}
    after = {"append_to_fetch": (2, 0.75), "fetch_to_store": (3, 0.75), "judge_to_accept": (1, 0.125)}
    assert between(before, after) == {"append_to_fetch": 250.0, "judge_to_accept": 125.0}
    assert between({}, {"append_to_fetch": (2, 1.0)}) == {}, "two blocks have no duration of one"


def test_the_table_of_stages_has_median_and_99th_percentile() -> None:
    assert stage_rows({"fetch_to_store": [10.0, 30.0, 20.0]})[2] == "| `fetch_to_store` | 20.0 ms | 29.8 ms | 3 |"


def test_a_comparison_has_the_percentiles_of_both_sides() -> None:
    median, *_, high = ratios({"now": [10.0, 20.0, 30.0], "0123abc": [20.0, 40.0, 60.0]}, 1_000)
    assert median.line() == (
        "| Kafka append to Slack request, 1,000 rules, median | 20.00 ms | 0123abc 40.00 ms | 0.50 |"
    )
    assert (high.value, high.limit) == (29.8, 59.6)
