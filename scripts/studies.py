"""Every simulated and measured table of docs/studies.md: coverage of intervals, drift, false alarms and delays of detectors.

    make studies                     # writes docs/studies.md
    python scripts/studies.py --check
    python scripts/studies.py --only delays    # prints one table

Fixed seeds: every run writes the same page. The tables of real blocks need mainnet's blocks 664,063 to 946,236 as a Parquet file of
`height` and `pool_slug` (`--blocks FILE`); without the file the page keeps the tables that it has.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from counterpoise.detectors.tracks import BLOCKS_PER_YEAR, PROMISES_YEARS
from counterpoise.estimates.drift import TOP1_DRIFT, TOP4_DRIFT
from counterpoise.estimates.share_intervals import fit_drift, next_interval, now_interval
from counterpoise.metrics.hhi_interval import d2_interval, hhi_interval
from counterpoise.windows import WINDOWS_BLOCKS
from desk.rule_history import read_blocks
from ingest.blocks.sources.simulated import read_figures
from scripts import detector_delays, detector_studies, drift_studies, halving_studies, hhi_studies, share_studies

PAGE = Path(__file__).resolve().parents[1] / "docs" / "studies.md"
BLOCKS = Path(__file__).resolve().parents[2] / "shared" / "data" / "blocks" / "mainnet_664063_946236.parquet"
SEED = 20_261_126
DRAWS = 4_000
WALKS = 10_000
"""The standard error of a coverage of 95 % is 0.22 points."""
WALKS_AT_ONCE = 1_000
TEST_FROM_HEIGHT = 850_000
"""The first block after June 2024: what is fitted uses blocks below, what is tested those above."""
FIT_FROM_HEIGHT = 743_200
"""July 2022."""

Table = list[str]


def _table(heads: list[str], rows: list[list[str]]) -> Table:
    return [
        "| " + " | ".join(heads) + " |",
        "|---" * len(heads) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def _three(values: list[float]) -> str:
    return " / ".join(f"{100 * f(values):.1f} %" for f in (np.min, np.median, np.max))


def hhi_coverage() -> Table:
    """Coverage of HHI and D₂ over the packaged real months: minimum, median and maximum."""
    months = read_figures().months
    rows = []
    for window in WINDOWS_BLOCKS:
        found: dict[str, list[float]] = {"hhi": [], "d2": []}
        for place, month in enumerate(months):
            unknown = month.blocks_by_pool.get("unknown", 0)
            counts = np.array([c for pool, c in sorted(month.blocks_by_pool.items()) if pool != "unknown" and c], float)
            shares = np.append(counts, unknown) / (counts.sum() + unknown)
            rng = np.random.default_rng([SEED, 1, window, place])
            drawn = rng.multinomial(window, shares, DRAWS)[:, :-1].astype(float)
            s2, s3, known = (drawn**2).sum(1), (drawn**3).sum(1), drawn.sum(1)
            for name, (low, high), truth in (
                ("hhi", hhi_interval(s2, s3, known, float(window)), float((shares[:-1] ** 2).sum())),
                ("d2", d2_interval(s2, s3, known), float(counts.sum() ** 2 / (counts**2).sum())),
            ):
                found[name].append(float(((low <= truth) & (truth <= high)).mean()))
        rows.append([f"{window:,}", _three(found["hhi"]), _three(found["d2"])])
    return _table(["blocks", "HHI: worst / median / best month", "D₂: worst / median / best month"], rows)


def drift_coverage() -> Table:
    """Coverage of the share now and of the next 2,016 blocks, simulated under the fitted drift."""
    rows = []
    following = 2_016
    for place, (name, start, drift) in enumerate((("top 4", 0.72, TOP4_DRIFT), ("top 1", 0.30, TOP1_DRIFT))):
        for window in WINDOWS_BLOCKS:
            rng = np.random.default_rng([SEED, 2, place, window])
            total = window + following
            parts = []
            for _ in range(WALKS // WALKS_AT_ONCE):
                steps = rng.normal(0.0, np.sqrt(drift), (WALKS_AT_ONCE, total)).cumsum(axis=1)
                path = np.clip(start + steps - steps[:, window - 1 : window] * 0.5, 0.01, 0.99)
                blocks = rng.random((WALKS_AT_ONCE, total)) < path
                parts.append((blocks[:, :window].sum(1), blocks[:, window:].mean(1), path[:, window - 1]))
            count, after, now = (np.concatenate(part) for part in zip(*parts, strict=True))
            cells = []
            for sigma2 in (0.0, drift):
                for (low, high), truth in (
                    (now_interval(count, window, sigma2), now),
                    (next_interval(count, window, following, sigma2), after),
                ):
                    cells.append(f"{100 * float(((low <= truth) & (truth <= high)).mean()):.1f} %")
            rows.append([name, f"{window:,}", *cells])
    return _table(["set", "blocks", "now, no drift", "next 2,016, no drift", "now", "next 2,016"], rows)


def _read_codes(path: Path) -> tuple[int, NDArray[np.int64]]:
    table = pq.read_table(path, columns=["height", "pool_slug"])
    slugs = table.column("pool_slug").to_pylist()
    names = ["unknown", *sorted(set(slugs) - {"unknown"})]
    place = {name: code for code, name in enumerate(names)}
    return int(table.column("height")[0].as_py()), np.array([place[slug] for slug in slugs], np.int64)


def _pairs(codes: NDArray[np.int64], window: int, following: int, leaders: int, *, fixed: bool) -> NDArray[np.float64]:
    """(pairs, 2): shares of one set in a window and in the `following` blocks after it, over disjoint pairs.

    The set is the leaders of the window itself, as a reader picks them; with `fixed`, of the window before it.
    """
    found = []
    start = window if fixed else 0
    while start + window + following <= len(codes):
        picked = codes[start - window : start] if fixed else codes[start : start + window]
        counts = np.bincount(picked, minlength=int(codes.max()) + 1)
        counts[0] = -1
        best = np.lexsort((np.arange(len(counts)), -counts))[:leaders]
        inside = np.isin(codes[start : start + window + following], best)
        found.append((inside[:window].mean(), inside[window:].mean()))
        start += window + following
    return np.array(found)


def real_drift(first: int, codes: NDArray[np.int64]) -> Table:
    """σ² fitted by moments before the test years, from sets that were fixed before both windows."""
    rows = []
    fit = codes[FIT_FROM_HEIGHT - first : TEST_FROM_HEIGHT - first]
    for name, leaders in (("top 4", 4), ("top 1", 1)):
        cells = []
        for window in (1_008, 2_016, 4_320):
            pairs = _pairs(fit, window, window, leaders, fixed=True)
            cells.append(f"{fit_drift(pairs[:, 0], pairs[:, 1], window):.1e} ({len(pairs)})")
        rows.append([name, *cells])
    return _table(["set", "1,008", "2,016", "4,320"], rows)


def real_coverage(first: int, codes: NDArray[np.int64]) -> Table:
    """How often the next 2,016 real blocks lie in the interval, after the fit; pairs are disjoint."""
    test = codes[TEST_FROM_HEIGHT - first :]
    rows = []
    for name, leaders, drift in (("top 4", 4, TOP4_DRIFT), ("top 1", 1, TOP1_DRIFT)):
        for window in WINDOWS_BLOCKS:
            pairs = _pairs(test, window, 2_016, leaders, fixed=False)
            cells = []
            for sigma2 in (0.0, drift):
                low, high = next_interval(pairs[:, 0] * window, window, 2_016, sigma2)
                cells.append(f"{100 * float(((low <= pairs[:, 1]) & (pairs[:, 1] <= high)).mean()):.1f} %")
            error = 100 * float(np.sqrt(0.05 * 0.95 / len(pairs)))
            bias = 100 * float((pairs[:, 0] - pairs[:, 1]).mean())
            rows.append([name, f"{window:,}", str(len(pairs)), *cells, f"{error:.1f}", f"{bias:+.1f}"])
    return _table(["set", "blocks", "pairs", "no drift", "with drift", "standard error", "window minus next"], rows)


@cache
def measured_delays() -> tuple[detector_delays.Delay, ...]:
    """The delays of every stored detector; they take minutes."""
    return tuple(detector_delays.delays())


def delay_table() -> Table:
    """Blocks from a jump to the alarm: p10, p50, p90, and the part without an alarm within the limit."""
    promises = [f"promise of {years} year{'s' if years > 1 else ''}" for years in PROMISES_YEARS]
    return _table(["detector", "top 4", "its value", *promises], detector_delays.table_rows(list(measured_delays())))


def rule_false_alarms() -> Table:
    """Firings in simulated years of the line rule: 1008 blocks above 75 %, with and without hold (36) and clearing line (73 %)."""
    rows = []
    years, window = 60, 1_008
    for place, share in enumerate((0.70, 0.72, 0.74)):
        rng = np.random.default_rng([SEED, 4, place])
        held = plain = some = 0
        for _ in range(years):
            sums = np.concatenate([[0], np.cumsum(rng.random(BLOCKS_PER_YEAR + window) < share)])
            value = (sums[window:] - sums[:-window]) / window
            over = value > 0.75
            plain += int((over[1:] & ~over[:-1]).sum())
            fired = _firings(over, value < 0.73, hold=36)
            held += fired
            some += fired > 0
        rows.append(
            [f"{100 * share:.0f} %", f"{held / years:.2f}", f"{100 * some / years:.0f} %", f"{plain / years:.1f}"]
        )
    return _table(["true share", "firings per year", "years with one", "plain crossings per year"], rows)


def _firings(over: NDArray[np.bool_], clear: NDArray[np.bool_], hold: int) -> int:
    """How often it fires: `over` for hold + 1 windows in a row while clear, then again only after a `clear` window."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], over, [False]]).astype(np.int8)))
    clears = np.flatnonzero(clear)
    fired, free_from = 0, 0
    for start, end in edges.reshape(-1, 2):
        if max(start, free_from) + hold < end:
            fired += 1
            after = np.searchsorted(clears, max(start, free_from) + hold)
            if after == len(clears):
                break
            free_from = int(clears[after])
    return fired


def _bins() -> list[str]:
    return [f"{100 * low:.0f}–{100 * high:.0f} %" for low, high in pairwise(share_studies.BINS)]


@cache
def share_tables() -> dict[str, Table]:
    """The tables of scripts/share_studies.py that are simulated."""
    simulated = share_studies.walks(share_studies.WALKS)
    errors = ["error of the window", "weighed by age", "its spread", "weighed by age", "coverage, weighed by age"]
    return {
        "leaders": _table(["blocks", *errors], share_studies.bias_rows(simulated)),
        "calibration": _table(["blocks", "stated by", *_bins()], share_studies.calibration_rows(simulated)),
        "nakamoto": _table(["blocks", "line", "worst / median / best month"], share_studies.nakamoto_rows(1_000)),
    }


TEXT = {
    "hhi": (
        "Intervals of HHI and D₂",
        "Coverage of the nominal 95 % intervals over the packaged real months, {draws:,} simulated windows each. "
        "Unknown blocks are one more category.",
    ),
    "drift": (
        "Share of the hashrate now and of the next blocks",
        "Coverage of the nominal 95 % intervals of a fixed set. It is simulated as a random walk with the fitted drift, "
        "{walks:,} walks each, so the standard error of a coverage is 0.2 points. The columns without drift show the multinomial "
        "interval.",
    ),
    "hhi-drift": (
        "HHI and D₂ of the hashrate now and of the next blocks",
        "Coverage of the nominal 95 % intervals of `counterpoise estimates`. {hhi_walks:,} walks begin at the shares of real months. "
        "HHI moves by the fitted drift and has no trend. Unknown blocks keep their share. The standard error of a coverage is "
        "0.15 points. The columns without drift have σ² = 0.",
    ),
    "hhi-drift-months": (
        "HHI and D₂ at 144 blocks, month by month",
        "The same intervals with drift, with {draws:,} walks from the shares of each real month.",
    ),
    "real-drift": (
        "Drift on real blocks",
        "σ² a block by moments from mainnet's blocks {fit:,} to {test:,}, with the number of pairs of adjoining windows. "
        "Each set is fixed before both windows.",
    ),
    "real-drift-grids": (
        "Drift and where windows begin",
        "σ² a block of every stored family from the same blocks, as a worker fits it. The stored grid ends its windows at heights "
        "divisible by 2,016. The other 20 grids begin 96 blocks apart. The last column has the constant that stands in for a fit.",
    ),
    "real-coverage": (
        "Next blocks on real data",
        "How often the share of the next 2,016 blocks lies in the nominal 95 % interval, from height {test:,} on. "
        "The set is the window's own leaders. The last column is the mean bias of the window in points: luck in picking the "
        "leaders, and drift. Read the measured coverage as the label.",
    ),
    "rule": (
        "False alarms of the line rule",
        'The rule "top 4 above 75 % of 1008 blocks" in simulated years of a constant true share. '
        "It holds for 36 blocks and clears below 73 %. "
        "Plain crossings have neither.",
    ),
    "delays": (
        "Delay of the stored detectors",
        "Blocks to the alarm at a true value above the line: p10 / p50 / p90 of {runs:,} simulated chains. The part without an alarm "
        "in {limit:,} blocks is in brackets. Shares are constant and the leaders are known. The detector begins without evidence, as "
        "after a clear. Behind blocks just below the line it often has some, and delays are shorter. The four leaders have the "
        "proportions at which each detector is just below its line where the top 4 have 74.9 %. The third column is what the "
        "detector is about: a share, or HHI. "
        "`python scripts/studies.py --only delays` prints this table.",
    ),
    "stored-false-alarms": (
        "False alarms of the stored detectors",
        "Fires in simulated years of constant shares just below the line: 74.9 % for the top 4, 33.2 % and 49.9 % for the largest, "
        "HHI 0.178. The state starts anew after each fire. In the column of 20 % unknown, each block is unknown with that chance.",
    ),
    "real-detections": (
        "Fires and clears of the stored detectors",
        "Mainnet's blocks of 2021 to 2026, raw view. The state starts at the first full window of 2,016 blocks.",
    ),
    "leaders": (
        "Luck in picking the leaders",
        "The share of a window's four leaders minus their share of the hashrate now: mean and standard deviation in points. "
        "{share_walks:,} simulated walks begin at the shares of real months. Weighing by age corrects the luck: most of the "
        "weight is on blocks before the window.",
    ),
    "calibration": (
        "Chance of a share above a line",
        "Mean stated chance that the four leaders hold more than a line, and how often it was true, in five bins. "
        "{share_walks:,} walks, and lines from 65 % to 80 % in steps of 2.5 points. `p_top4_above_75` leaves out luck in picking "
        "and drift.",
    ),
    "nakamoto": (
        "Range of the Nakamoto coefficient",
        "How often the range of a window holds the true coefficient of a real month, with 1,000 simulated windows per month. "
        "Whole numbers cannot cover exactly 95 %.",
    ),
    "real-bootstrap": (
        "Next blocks on real data, by block bootstrap",
        "How often the share of the next 2,016 real blocks lies in the interval with the drift that a worker had stored by then. "
        "Windows start every 144 blocks from height {test:,} on and overlap. The standard error is that of a circular block "
        "bootstrap, its blocks as long as a window and its next blocks. The effective number of windows is in brackets. "
        "The last two columns are root mean square errors in points.",
    ),
    "real-hhi": (
        "HHI and D₂ of the next real blocks",
        "How often the unbiased index of the next 2,016 real blocks lies in the interval with the drift that a worker had stored "
        "by then. The windows are those of the table above, and so are the errors.",
    ),
    "real-forecasts": (
        "Daily forecasts on real data",
        "A worker stores a forecast every 144 blocks; these are of the raw view. It has the share of the four leaders in the next "
        "1,008 blocks, and the chance that it is above 75 %. The bins show the mean stated chance, how often it came true, and the "
        "number of forecasts. Neighbouring forecasts share blocks.",
    ),
    "real-halving": (
        "The year before and after a halving",
        "Concentration of mainnet's blocks as pools sign, in the 52,560 blocks before and after a halving, and in the last ones. "
        "Shares are of all blocks; D₂ leaves out unknown ones. One halving is in the data, so the table shows a change and no cause.",
    ),
}


def makers(blocks: Path | None) -> dict[str, Callable[[], Table]]:
    """What makes each table that can be made; those of real blocks only with the file."""
    found: dict[str, Callable[[], Table]] = {
        "hhi": hhi_coverage,
        "drift": drift_coverage,
        "hhi-drift": lambda: _table(
            ["index", "blocks", "now, no drift", "next 2,016, no drift", "now", "next 2,016"],
            hhi_studies.coverage_rows(),
        ),
        "hhi-drift-months": lambda: _table(
            ["index", "blocks", "now: worst / median / best month", "next 2,016: worst / median / best month"],
            hhi_studies.month_rows(DRAWS),
        ),
        "rule": rule_false_alarms,
        "delays": delay_table,
        "stored-false-alarms": lambda: _table(
            ["detector", "promise, years", "simulated years", "fires", "with 20 % unknown", "at most, on average"],
            detector_studies.false_alarm_rows(120),
        ),
        "leaders": lambda: share_tables()["leaders"],
        "calibration": lambda: share_tables()["calibration"],
        "nakamoto": lambda: share_tables()["nakamoto"],
    }
    return found if blocks is None else found | real_makers(blocks)


def real_makers(blocks: Path) -> dict[str, Callable[[], Table]]:
    """What makes each table of real blocks."""
    first, codes = _read_codes(blocks)
    return {
        "real-drift": lambda: real_drift(first, codes),
        "real-drift-grids": lambda: _table(
            ["family", "stored grid", "least", "median", "mean", "largest", "constant"],
            drift_studies.grid_rows(codes[FIT_FROM_HEIGHT - first : TEST_FROM_HEIGHT - first], FIT_FROM_HEIGHT),
        ),
        "real-coverage": lambda: real_coverage(first, codes),
        # The registry's codes: among pools with equally many blocks the order of codes decides who leads.
        "real-detections": lambda: _table(
            ["detector", "promise, years", "events"], detector_studies.real_event_rows(first, read_blocks(blocks)[1])
        ),
        "real-bootstrap": lambda: _table(
            ["set", "blocks", "windows", "window", "weighed by age", "error of the window", "weighed by age"],
            share_studies.bootstrap_rows(first, codes, TEST_FROM_HEIGHT),
        ),
        "real-hhi": lambda: _table(
            ["index", "blocks", "windows", "next 2,016"], hhi_studies.real_rows(first, codes, TEST_FROM_HEIGHT)
        ),
        "real-forecasts": lambda: _table(
            ["heights", "forecasts", "coverage", "Brier score", "of the base rate", *_bins()],
            share_studies.forecast_score_rows(first, codes, TEST_FROM_HEIGHT),
        ),
        "real-halving": lambda: _table(halving_studies.HEADS, halving_studies.halving_rows(first, codes)),
    }


def page(found: dict[str, Table], before: str) -> str:
    """The whole page; a table that was not made is the one of the page before."""
    lines = [
        "# Studies",
        "",
        "This page shows how the estimates of [methodology.md](methodology.md) do on simulated and on real blocks. "
        "`make studies` writes it, with fixed seeds.",
        "A share has three meanings: the blocks of a window (exact), the hashrate behind them now, and the next blocks.",
    ]
    values = {"draws": DRAWS, "walks": WALKS, "fit": FIT_FROM_HEIGHT, "test": TEST_FROM_HEIGHT}
    values |= {"hhi_walks": hhi_studies.WALKS, "share_walks": share_studies.WALKS}
    values |= {"runs": detector_delays.RUNS, "limit": detector_delays.LIMIT_BLOCKS}
    for name, (title, text) in TEXT.items():
        table = "\n".join(found[name]) if name in found else _kept(before, name)
        lines += ["", f"## {title}", "", text.format(**values), "", f"<!-- {name} -->", table, f"<!-- {name} end -->"]
    return "\n".join(lines) + "\n"


def _kept(before: str, name: str) -> str:
    match = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- {name} end -->", before, re.DOTALL)
    if match is None:
        raise SystemExit(f"the table {name} needs --blocks: docs/studies.md has none to keep")
    return match[1]


def _each(make: Mapping[str, Callable[[], Table]]) -> Iterator[tuple[str, Table]]:
    """Every table by its name, with a line for each on the screen: some take minutes."""
    for place, (name, one) in enumerate(make.items(), 1):
        began = time.monotonic()
        sys.stderr.write(f"table {place} of {len(make)}: {name} … ")
        sys.stderr.flush()
        yield name, one()
        sys.stderr.write(f"{time.monotonic() - began:.0f} s\n")


def main() -> int:
    """Write the page, or with --check report whether it is current."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--blocks", type=Path, default=BLOCKS if BLOCKS.exists() else None)
    arguments.add_argument("--check", action="store_true", help="change nothing; exit with 1 where the page differs")
    arguments.add_argument("--only", choices=TEXT, help="print this table, and write nothing")
    given = arguments.parse_args()
    make = makers(given.blocks)
    if given.only:
        sys.stdout.write("\n".join(make[given.only]()) + "\n" if given.only in make else "it needs --blocks\n")
        return int(given.only not in make)
    written = {PAGE: page(dict(_each(make)), PAGE.read_text(encoding="utf-8"))}
    written[detector_delays.MODULE] = detector_delays.module(list(measured_delays()))
    if given.check:
        differs = [path for path, text in written.items() if path.read_text(encoding="utf-8") != text]
        sys.stdout.write("".join(f"{path} differs: run make studies\n" for path in differs) or "current\n")
        return int(bool(differs))
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
