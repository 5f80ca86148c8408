"""Every benchmark, one after the other: `make bench`. `--blocks FILE` replays real blocks instead of the packaged figures."""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """Run each in a process of its own; the worst exit code."""
    chosen = sys.argv[1:]
    runs = (
        ["bench.fold", *chosen],
        ["bench.line", *chosen],
        ["bench.parts", *(option.replace("--blocks", "--source", 1) for option in chosen)],
        *([["bench.backtest", *chosen]] if chosen else []),
        ["bench.live"],
        ["bench.rules"],
        ["bench.market"],
        ["bench.newest"],
        ["bench.desk"],
        ["bench.engine"],
        ["bench.start"],
        ["bench.chains"],
        ["bench.history"],
        ["bench.peers"],
    )
    codes = []
    for module, *arguments in runs:
        print(f"\n## {module}\n", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
