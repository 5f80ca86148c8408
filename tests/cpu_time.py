"""What each test file costs in CPU time: `COUNTERPOISE_TEST_CPU=1 make test` ends with a table of it.

Counted are the test's own process and everything below it: the engines of the session, services, what they started. A process that
ended is in its parent's account, so the sum only grows, and the difference over a test is what that test used. Under xdist each
worker sees its own tree, so nothing is counted twice.
"""

from __future__ import annotations

import os
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

VARIABLE: Final = "COUNTERPOISE_TEST_CPU"
_PROPERTY: Final = "cpu seconds"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class CpuTimes:
    """A pytest plugin: measures where tests run, adds up where they are reported."""

    def __init__(self) -> None:
        self._files: defaultdict[str, float] = defaultdict(float)
        self._tests: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._before = used_seconds()
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        if call.when == "teardown":
            item.user_properties.append((_PROPERTY, used_seconds() - self._before))
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            seconds = sum(float(str(value)) for name, value in report.user_properties if name == _PROPERTY)
            self._files[report.location[0]] += seconds
            self._tests[report.nodeid] = seconds

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("CPU seconds, children included")
        for of in (self._files, dict(sorted(self._tests.items(), key=lambda one: -one[1])[:40])):
            for name, seconds in sorted(of.items(), key=lambda one: -one[1]):
                terminalreporter.line(f"{seconds:8.1f}  {name}")
            terminalreporter.line("")
        terminalreporter.line(f"{sum(self._files.values()):8.1f}  all tests")


def used_seconds() -> float:
    """CPU time that this process, its living descendants and all that ended among them have used so far."""
    total = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return total + sum(_ticks_below(os.getpid())) / _TICKS


def _ticks_below(root: int) -> Iterator[int]:
    """Ticks of each living descendant, with those of its children that ended; none where there is no /proc (macOS)."""
    children: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        children[int(fields[1])].append((int(stat.parent.name), sum(map(int, fields[11:15]))))
    below = [root]
    while below:
        for pid, ticks in children[below.pop()]:
            yield ticks
            below.append(pid)
