"""Compare what two datasets show of the AI side, view by view."""

from __future__ import annotations

from counterpoise.kafka.lag import PartitionLag, read_lag
from tests.integration.streams.line import Line
from tests.waiting import wait_for

VIEWS = (
    "series",
    "series_entries",
    "releases_all",
    "releases",
    "incomplete_releases",
    "observations",
    "forecasts",
    "dispersion_all",
    "dispersion",
    "placement",
    "edge_share",
    "growth",
    "asymmetry",
    "latest_asymmetry",
    "asymmetry_changes",
)


def rows(line: Line, view: str) -> set[str]:
    """Every row of a view as text."""
    found = line.ch.query(f"SELECT toString(tuple(*)), count() FROM (SELECT * FROM {view}) GROUP BY 1")
    assert all(count == 1 for _, count in found), f"{view} shows a row twice"
    return {row for row, _ in found}


def differences(line: Line, reference: Line) -> list[str]:
    """What differs, a few rows of each side; empty where nothing does."""
    lines = []
    for view in VIEWS:
        mine, theirs = rows(line, view), rows(reference, view)
        for what, only in (("only here", mine - theirs), ("only in the reference", theirs - mine)):
            lines += [f"{view}, {what} ({len(only)}): {row}" for row in sorted(only)[:2]]
    return lines


def assert_same(line: Line, reference: Line, timeout_seconds: float = 60.0) -> None:
    """The line comes to show what the reference shows. What a crash left to heal is healed a moment after the last message."""
    try:
        wait_for(lambda: not differences(line, reference), "the same rows")
    except AssertionError:
        raise AssertionError("\n".join(differences(line, reference))) from None


def rest(line: Line, timeout_seconds: float = 90.0) -> None:
    """Wait until everything is acknowledged, what the workers tell each other among it."""
    line.drain()

    def lag() -> list[PartitionLag]:
        return read_lag(line.engines.kafka.target, line.dataset, ("streams",))

    def is_quiet() -> bool:
        """Twice in a row with nothing done between. One reading takes the ends of partitions first and what is acknowledged later,
        and a worker sends before it acknowledges."""
        found = lag()
        return all(row.lag == 0 for row in found) and lag() == found

    wait_for(is_quiet, f"{line.dataset} to come to rest")


def letters(line: Line) -> list[tuple[str, str, int]]:
    """Dead letters without where they lay."""
    return [
        (str(service), str(reason), int(count))
        for service, reason, count in line.ch.query(
            "SELECT service, reason, count() FROM dead_letters GROUP BY ALL ORDER BY ALL"
        )
    ]
