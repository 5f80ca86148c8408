"""`take` a snapshot, or `compare` two."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.snapshot.compare import compare
from tests.snapshot.take import ROOT, take


def main() -> int:
    """Exit code 0; 1 where two snapshots differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.snapshot", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    taking = commands.add_parser("take", help="run the demo and a replay of mainnet, and write what they leave")
    taking.add_argument("directory", type=Path)
    taking.add_argument("--checkout", type=Path, default=ROOT, help="run the code of this checkout (default: this one)")
    comparing = commands.add_parser("compare", help="print what differs")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.command == "take":
        take(given.directory.absolute(), given.checkout.absolute())
        return 0
    lines = compare(given.before, given.after)
    sys.stdout.writelines(lines)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
