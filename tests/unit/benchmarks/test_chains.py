"""The arithmetic of `bench.chains`, and which chains it takes."""

from __future__ import annotations

import pytest

from bench.chains import Measured, arguments, chosen_chains, figures
from counterpoise.chain.chain_registry import CHAINS


@pytest.mark.parametrize("count", [1, 2, 4])
def test_each_chain_has_a_partition_of_its_own(count: int) -> None:
    assert sorted(CHAINS[name].number % count for name in chosen_chains(count)) == list(range(count))


def test_more_chains_than_the_registry_has_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--chains", "1,64"])
    assert "the registry has chains for" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--blocks", "0"], ["--chains", "0"], ["--chains", "two"]])
def test_arguments_that_make_no_sense_are_refused(given: list[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(given)
    assert arguments(["--chains", "1,2"]).chains == [1, 2]


def test_a_figure_is_cpu_per_block_against_one_chain() -> None:
    one = Measured(1, 1_000, {"streams": 0.1, "clickhouse": 0.3}, [1.0], 0.5, 0.2)
    two = Measured(2, 2_000, {"streams": 0.3, "clickhouse": 0.6}, [1.2, 0.9], 1.0, 0.3)
    found = {figure.name: figure for figure in figures([one, two])}
    streams = found["2 chains on 2 workers, CPU per block: streams"]
    assert streams.value == pytest.approx(150) and streams.limit == pytest.approx(100)
    assert found["2 chains on 2 workers, CPU per block: all"].line().endswith("| 1.12 |")
    without = found["2 chains on 2 workers, CPU per block: all, less idle"]
    assert without.value == pytest.approx(300) and without.limit == pytest.approx(300)
    assert found["CPU of a worker's start, largest"].value == 1.2
