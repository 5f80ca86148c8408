"""The peers of `bench.peers` fold as we do, and their table says by how much we are faster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.peers import edinburgh_fold
from bench.peers.__main__ import arguments
from bench.peers.our_fold import attributed, peer_lines, whole_fold, windows_alone
from bench.peers.quixstreams_install import environment, permitted
from bench.peers.rates import CAPABILITIES, Peer, Rate, check_alike, table
from bench.peers.window_answers import WINDOWS, Totals, add, answer, fold_block
from bench.simulated_blocks import simulated
from counterpoise.windows import WINDOWS_BLOCKS


class _State:
    """A dict as the state of one key."""

    def __init__(self) -> None:
        self.held: dict[Any, Any] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        return self.held.get(key, default)

    def set(self, key: Any, value: Any) -> None:
        self.held[key] = value


def folded(pools: list[int]) -> Totals:
    state, totals = _State(), Totals()
    for place, pool in enumerate(pools):
        add(totals, fold_block(state, place, pool))
    return totals


def drawn(blocks: int) -> list[int]:
    """Pool codes with unknown blocks among them, and pools that come and go."""
    random = np.random.default_rng(9)
    codes = random.choice(12, size=blocks, p=random.dirichlet(np.ones(12))) + 8 * (np.arange(blocks) // 3_000 % 2)
    return [int(code) for code in np.where(random.random(blocks) < 0.05, 0, codes)]


def test_an_answer_counts_the_unknown_in_the_denominator_only() -> None:
    assert answer([5, 1, 3, 1, 1], 12) == (10, 37, 2)
    assert answer([5, 1], 20) == (6, 26, 0), "half is not reached"
    assert answer([], 3) == (0, 0, 0)


def test_one_message_at_a_time_and_our_windows_answer_alike() -> None:
    assert WINDOWS == WINDOWS_BLOCKS
    pools = drawn(9_000)
    ours = windows_alone(pools, list(range(1_600_000_000, 1_600_000_000 + 600 * len(pools), 600)))
    assert folded(pools) == ours.totals
    assert folded([*pools[:-1], 0]) != ours.totals


def test_the_whole_fold_and_a_peer_of_its_lines_answer_alike() -> None:
    events = simulated(300)
    pools = attributed(events)
    lines = [json.loads(line) for line in peer_lines(events, pools)]
    assert [line["hash"] for line in lines] == [event.hash for event in events]
    totals = folded([line["pool"] for line in lines])
    assert whole_fold(events, per_message=40).totals == totals
    assert sorted({line["place"] for line in lines}) == list(range(300))


def test_edinburghs_functions_are_given_the_same_counts() -> None:
    pools = drawn(1_300)
    last = list(edinburgh_fold.distributions(pools, 1_008))[-1]
    assert last == sorted((pools[-1_008:].count(code) for code in set(pools[-1_008:]) - {0}), reverse=True)


def test_a_folder_without_the_project_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(SystemExit, match="has no folder consensus_decentralization/metrics"),
        edinburgh_fold.functions(tmp_path),
    ):
        pass


def test_the_ratio_is_the_rate_of_the_peer_by_ours() -> None:
    ours, slow = Rate("ours", 1_000, 0.5, {144: (1, 2, 3)}), Rate("slow", 500, 1.0, {144: (1, 2, 3)})
    does = ("yes",) * len(CAPABILITIES)
    rows = table(Peer(ours, does), [Peer(slow, does)]).splitlines()
    assert rows[2].startswith("| ours | 2,000 | 1.00 | yes |")
    assert rows[3].startswith("| slow | 500 | 0.25 | yes |")
    check_alike([ours, slow, Rate("other definitions", 1, 1.0)])
    with pytest.raises(SystemExit, match="wrong answers"):
        check_alike([ours, Rate("wrong", 500, 1.0, {144: (1, 2, 4)})])


@pytest.mark.parametrize(
    "given", [["--blocks", "0"], ["--install", "--write"], ["--install", "--edinburgh", "x"], ["--blocks", "x"]]
)
def test_arguments_that_make_no_sense_are_refused(given: list[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(given)


def test_only_apache_2_may_run_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert permitted("Apache License\n      Version 2.0, January 2004")
    assert permitted("Apache-2.0")
    assert not permitted("Apache License Version 1.1")
    assert not permitted("GPL-3.0-only")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment().parent.parent == tmp_path
