"""Look for published vulnerabilities in what is installed here; where no advisory service is reachable, say so in one line.

Exit code 1 where one is found that is not argued away in ACCEPTED.
"""

from __future__ import annotations

import json
import subprocess
import sys

TIMEOUT_SECONDS = 40
ACCEPTED: dict[str, str] = {}
"""Advisory id: why it does not touch us."""


def main() -> int:
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
        say(f"dependency audit: skipped, no advisory service answered within {TIMEOUT_SECONDS} s")
        return 0
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        say(f"dependency audit: skipped, no advisory service is reachable ({reason[:160]})")
        return 0
    flaws = [(package, flaw) for package in found for flaw in package.get("vulns", ())]
    bad = [(package, flaw) for package, flaw in flaws if not {flaw["id"], *flaw.get("aliases", ())} & ACCEPTED.keys()]
    for package, flaw in bad:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        say(f"{package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    say(f"dependency audit: {len(found)} packages, {len(bad)} vulnerabilities, {len(flaws) - len(bad)} accepted")
    return 1 if bad else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
