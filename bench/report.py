"""One line a figure, always against a limit or a peer of the same run: the ratio is what may be compared between machines."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement and what it is held against; under 1.00 is inside the limit."""

    name: str
    value: float
    unit: str
    limit: float
    against: str = "limit"

    def line(self) -> str:
        """The figure as a row of the table in docs/benchmarks.md."""
        return (
            f"| {self.name} | {self.value:,.2f} {self.unit} | {self.against} {self.limit:,.2f} {self.unit} | "
            f"{self.value / self.limit:.2f} |"
        )


def table(figures: Iterable[Figure]) -> str:
    """Figures as the table of docs/benchmarks.md, with its head."""
    return "\n".join(["| figure | measured | against | ratio |", "|---|---|---|---|", *(one.line() for one in figures)])


def with_part(page: str, name: str, text: str) -> str:
    """The page with a text in place of what a benchmark wrote before; ValueError where the page lacks one of its two lines."""
    begin, end = f"<!-- {name}: written by `python -m bench.{name} --write` -->", f"<!-- {name} end -->"
    head, begins, rest = page.partition(begin)
    _, ends, tail = rest.partition(end)
    if not begins or not ends:
        raise ValueError(f"{DOCUMENT} lacks the line {end if begins else begin}")
    return f"{head}{begin}\n{text}\n{end}{tail}"


def write_part(name: str, text: str) -> None:
    """Put what a benchmark printed into docs/benchmarks.md."""
    DOCUMENT.write_text(with_part(DOCUMENT.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def machine() -> str:
    """Processor, cores, memory, Python: what a figure must be read with."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
        memory_kib = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1])
        memory = f", {memory_kib / 1024**2:.0f} GiB"
    except (OSError, ValueError):
        memory = ""
    return f"{model}, {os.cpu_count()} cores{memory}, Python {platform.python_version()}, {platform.system()}"


def peak_memory_mib(pid: int) -> float:
    """The most memory a process had resident so far, in MiB; NaN where the system does not say."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return float("nan")


def cpu_seconds(pid: int) -> float:
    """CPU time so far of a process and of those that it started and that still run; NaN where /proc is missing.

    Other load of the machine changes it less than the clock.
    """
    own = _stat(pid)
    if own is None:
        return float("nan")
    found = [_stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    ticks = sum(
        int(one[11]) + int(one[12]) for one in [own, *(child for child in found if child and int(child[1]) == pid)]
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str] | None:
    """What the system says of a process, from its state on; None without one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
