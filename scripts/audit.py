"""Look for published vulnerabilities in what is installed here.

Exit code 1 where one is found that is not argued away in ACCEPTED, and where no advisory service answers: nothing is known then. With
`--may-skip` that is one line and exit code 0, for a machine without a network.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence

TIMEOUT_SECONDS = 40
ACCEPTED: dict[str, str] = {}
"""Advisory id: why it does not touch us."""


def main(arguments: Sequence[str] = ()) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Look for published vulnerabilities in what is installed here.")
    parser.add_argument("--may-skip", action="store_true", help="exit code 0 where no advisory service answers")
    may_skip = parser.parse_args(arguments).may_skip
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--local",
        "--skip-editable",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return unanswered(f"no advisory service answered within {TIMEOUT_SECONDS} s", may_skip=may_skip)
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return unanswered(f"no advisory service is reachable ({reason[:160]})", may_skip=may_skip)
    flaws = [(package, flaw) for package in found for flaw in package.get("vulns", ())]
    bad = [(package, flaw) for package, flaw in flaws if not {flaw["id"], *flaw.get("aliases", ())} & ACCEPTED.keys()]
    for package, flaw in bad:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        say(f"{package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    say(f"dependency audit: {len(found)} packages, {len(bad)} vulnerabilities, {len(flaws) - len(bad)} accepted")
    return 1 if bad else 0


def unanswered(reason: str, *, may_skip: bool) -> int:
    """The exit code where nobody answered."""
    say(f"dependency audit: {'skipped' if may_skip else 'failed'}, {reason}")
    return 0 if may_skip else 1


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
