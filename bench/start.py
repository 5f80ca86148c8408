"""What a start costs in CPU seconds: a command that asks one question, and each service until it works.

    python -m bench.start [--rounds 5] [--against COMMIT]

The engines and the dataset are the same for both sides; with `--against` the commands of another commit take turns with ours.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.line import wait_for_services
from bench.other_commit import ROOT, tree_of
from bench.report import cpu_seconds, machine
from bench.stand import engines
from counterpoise.runtime.logs import configure_logging
from counterpoise.settings.model import Settings
from desk.cli.whole_line import Services, start_afresh

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    '`counterpoise sql "SELECT 1"`': ("sql", "SELECT 1"),
    "`counterpoise --help`": ("--help",),
    "`counterpoise pools list`": ("pools", "list"),
}
QUESTION_LIMIT: Final = 0.3
SERVICE_LIMIT: Final = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", metavar="COMMIT")
    chosen = parser.parse_args()
    configure_logging("text", "error")
    with ExitStack() as stack:
        trees = {"now": ROOT}
        if chosen.against:
            trees[chosen.against] = stack.enter_context(tree_of(chosen.against))
        stack.enter_context(engines())
        settings = Settings.load()
        start_afresh(settings)
        found: dict[str, dict[str, list[float]]] = {name: {side: [] for side in trees} for name in COMMANDS}
        for number in range(chosen.rounds):
            print(f"round {number + 1} of {chosen.rounds}", file=sys.stderr, flush=True)
            for name, arguments in COMMANDS.items():
                for side in trees if number % 2 else list(trees)[::-1]:
                    found[name][side].append(command_seconds(trees[side], arguments))
        services = service_seconds(settings)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{machine()}; load {load}; median of {chosen.rounds}\n")
    print(f"| CPU seconds of a start | {' | '.join(trees)} | limit |\n|---|{'---|' * len(trees)}---|")
    for name, by_side in found.items():
        medians = " | ".join(f"{statistics.median(values):.2f}" for values in by_side.values())
        print(f"| {name} | {medians} | {QUESTION_LIMIT:.2f} |")
    for name, seconds in services.items():
        print(f"| {name}, until it works | {seconds:.2f} |{' |' * (len(trees) - 1)} {SERVICE_LIMIT:.2f} |")


def command_seconds(tree: Path, arguments: tuple[str, ...]) -> float:
    """CPU seconds of one command of a tree, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "counterpoise", *arguments],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def service_seconds(settings: Settings) -> dict[str, float]:
    """CPU seconds of streams and alerts from the start of their processes until both say that they work."""
    with Services(settings, settings.run_dir / "services.log"):
        return {name: cpu_seconds(pid) for name, pid in wait_for_services(settings).items()}


if __name__ == "__main__":
    main()
