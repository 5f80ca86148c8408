"""A benchmark at two commits: what its tables say is read, and the medians of both sides stand beside each other."""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import __main__ as bench_all
from bench import side_by_side
from bench.report import Figure, table
from bench.side_by_side import add_against, both, chosen_options, compared, numbers

PRINTED = f"""a machine; load 3.1

{table([Figure("lag, 99th percentile", 1_407.89, "ms", 100.0), Figure("checkpoint", 13.6, "KiB", 64.0)])}

| 1,000 blocks | rows read | CPU | median |
|---|---|---|---|
| newest row | 18 | 3.0 ms | 11.2 ms |
| one height | 2,228 (over) | none | **33.1 ms** |

| 10,000 blocks | rows read | median |
|---|---|---|
| newest row | 25 | 12.0 ms |
"""


def chosen(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chains", type=lambda text: [int(one) for one in text.split(",")], default=[1, 2])
    parser.add_argument("--blocks", type=int)
    parser.add_argument("--near", action="store_true")
    add_against(parser)
    return parser.parse_args(arguments)


def test_every_number_of_every_table_is_read_and_none_that_follows_from_others() -> None:
    assert numbers(PRINTED) == {
        "lag, 99th percentile": (1_407.89, "ms"),
        "checkpoint": (13.6, "KiB"),
        "newest row, rows read": (18.0, ""),
        "newest row, CPU": (3.0, "ms"),
        "newest row, median": (11.2, "ms"),
        "one height, rows read": (2_228.0, "(over)"),
        "one height, median": (33.1, "ms"),
        "newest row, rows read (2)": (25.0, ""),
        "newest row, median (2)": (12.0, "ms"),
    }
    assert numbers("no table, 12 ms") == {}


def test_medians_stand_beside_each_other() -> None:
    ours = [{"a": (value, "ms"), "b": (1.0, "s")} for value in (9.0, 1.0, 2.0)]
    theirs = [{"a": (4.0, "ms"), "c": (0.0, "rows")}]
    assert both({"now": ours, "b8922e1": theirs}).splitlines() == [
        "| figure | now | b8922e1 | ratio |",
        "|---|---|---|---|",
        "| a | 2.00 ms | 4.00 ms | 0.50 |",
        "| b | 1.00 s | – | – |",
        "| c | – | 0.00 rows | – |",
    ]


def test_both_sides_run_with_what_was_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, ...]] = []

    def turns(*given: object) -> Iterator[tuple[str, str]]:
        asked.append(given)
        for value in (1.0, 3.0, 2.0):
            yield "now", table([Figure("start", value, "s", 3.0)])
            yield "b8922e1", table([Figure("start", 2 * value, "s", 3.0)])

    monkeypatch.setattr(side_by_side, "by_turns", turns)
    options = chosen("--chains", "1,4", "--near", "--against", "b8922e1")
    assert compared("chains", options, chosen_options(options, "chains", "blocks", "near"))
    assert asked == [("chains", "b8922e1", 3, ("--chains=1,4", "--near"))]
    assert "| start | 2.00 s | 4.00 s | 0.50 |" in capsys.readouterr().out
    assert not compared("chains", chosen()) and len(asked) == 1


def test_a_side_that_does_not_run_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def turns(*_: object) -> Iterator[tuple[str, str]]:
        raise subprocess.CalledProcessError(1, ["python", "-m", "bench.rules"])
        yield

    monkeypatch.setattr(side_by_side, "by_turns", turns)
    with pytest.raises(SystemExit, match=r"bench\.rules does not run at one of the commits"):
        compared("rules", chosen("--against", "b8922e1"))
    with pytest.raises(SystemExit, match="--rounds"):
        compared("rules", chosen("--against", "b8922e1", "--rounds", "0"))


def test_every_benchmark_takes_another_commit() -> None:
    runs = Path(bench_all.__file__)
    modules = re.findall(r'"bench\.(\w+)"', runs.read_text(encoding="utf-8"))
    assert len(modules) >= 14
    for name in modules:
        alone = runs.parent / f"{name}.py"
        text = (alone if alone.exists() else runs.parent / name / "__main__.py").read_text(encoding="utf-8")
        assert "add_against(parser)" in text or '"--against"' in text, name
